/** Loads vendored scripts and sheets on the pages that need them, by the addresses that the layout gives on <body>. */

const loading = new Map();

function once(key, build) {
  if (!loading.has(key)) loading.set(key, build().catch((error) => {
    loading.delete(key); // a later attempt may succeed
    throw error;
  }));
  return loading.get(key);
}

function append(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", () => resolve(element), { once: true });
    element.addEventListener("error", () => {
      element.remove();
      reject(new Error(`${element.src || element.href} could not be loaded`));
    }, { once: true });
    document.head.append(element);
  });
}

function script(src) {
  const element = document.createElement("script");
  element.src = src;
  return append(element);
}

function sheet(href, id) {
  const element = document.createElement("link");
  element.rel = "stylesheet";
  element.href = href;
  if (id) element.id = id;
  return append(element);
}

/** @returns {Promise<Function>} the uPlot constructor */
export function uplot() {
  const { assetUplot, assetUplotCss } = document.body.dataset;
  return once("uplot", async () => {
    await Promise.all([script(assetUplot), sheet(assetUplotCss)]);
    return window.uPlot;
  });
}

/** @returns {Promise<object>} the Plotly namespace */
export function plotly() {
  const { assetPlotly, assetPlotlyCss } = document.body.dataset;
  return once("plotly", async () => {
    // Plotly writes its rules into the sheet with this id when there is one, instead of into an inline <style>, which
    // the content policy forbids. It must be there before Plotly starts.
    await sheet(assetPlotlyCss, "plotly.js-style-global");
    await script(assetPlotly);
    return window.Plotly;
  });
}

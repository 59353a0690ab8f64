/* Runs before the first paint (a plain script in <head>): says that scripts run, and applies the stored preferences, so
   that no page flashes in the wrong theme. */
(() => {
  // Back, pressed before htmx listens: the address would change and the page not.
  addEventListener("popstate", (event) => { if (event.state?.htmx && !window.onpopstate) location.reload(); });
  const root = document.documentElement;
  root.dataset.js = "";
  try {
    const theme = localStorage.getItem("webmacs.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    const density = localStorage.getItem("webmacs.density");
    if (density === "compact") root.dataset.density = density;
  } catch {
    // Storage may be forbidden; the system's theme is then right.
  }
})();

/** [data-openapi="/openapi.json"]: the interactive API reference; swagger-ui-bundle.js is loaded by the page before this. */

const holder = document.querySelector("[data-openapi]");
if (holder) {
  window.SwaggerUIBundle({
    url: holder.dataset.openapi,
    domNode: holder,
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    plugins: [() => ({ wrapComponents: { InfoContainer: () => () => null } })], // the page has a heading of its own
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
}

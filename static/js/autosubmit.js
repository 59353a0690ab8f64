/** form[data-autosubmit]: a filter applies itself. Its button stays for those without scripts. */

const PAUSE = 300;

/** Bind the filter forms inside `scope`. */
export function wire(scope) {
  const forms = [...scope.querySelectorAll("form[data-autosubmit]")];
  if (scope.matches?.("form[data-autosubmit]")) forms.push(scope);
  for (const form of forms) {
    let timer;
    const submit = () => {
      clearTimeout(timer);
      if (form.checkValidity()) form.requestSubmit();
    };
    form.addEventListener("change", (event) => { if (!event.target.matches("[type=search], [type=text]")) submit(); });
    form.addEventListener("input", (event) => {
      // Without a fragment to swap, the page would load under the typing fingers; Enter applies there.
      if (!form.hasAttribute("hx-get") || !event.target.matches("[type=search], [type=text]")) return;
      clearTimeout(timer);
      timer = setTimeout(submit, PAUSE);
    });
    // The form itself is not swapped, so the way out of a filter comes and goes here.
    const clear = form.querySelector("[data-filter-clear]");
    form.addEventListener("input", () => { if (clear) clear.hidden = ![...new FormData(form).values()].some(Boolean); });
    // Empty fields only lengthen the address that is copied and shared.
    form.addEventListener("formdata", ({ formData }) => {
      for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
    });
  }
}

/** Preferences of this browser. Never lab data: what is shown here stays out of the storage. */

/** @returns {string | null} the stored preference, or null when there is none or storage is forbidden */
export function read(name) {
  try {
    return localStorage.getItem(`webmacs.${name}`);
  } catch {
    return null;
  }
}

/** Keep a preference; an empty value forgets it. */
export function write(name, value) {
  try {
    if (value) localStorage.setItem(`webmacs.${name}`, value);
    else localStorage.removeItem(`webmacs.${name}`);
  } catch {
    // The choice then lasts for this page.
  }
}

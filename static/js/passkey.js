/** Passkeys: form[data-passkey="create|get"] asks the browser with the options it carries and sends the answer as a form. */

const DENIED = "No passkey was used: the browser was not allowed to, or it took too long. Try again when you are ready.";
const KNOWN = "This device already holds a passkey for your account.";
const UNABLE = "This browser offers no passkeys here. They need https (or localhost) and an address with a name.";

/** Bind the forms inside `scope`; one with data-passkey-now asks at once. */
export function wire(scope) {
  for (const form of scope.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", (event) => {
      if (form.elements.credential.value) return; // the answer is in: let it go
      event.preventDefault();
      ask(form);
    });
    if (form.dataset.passkeyNow !== undefined) ask(form);
  }
}

async function ask(form) {
  if (form.dataset.passkeyAsking !== undefined) return; // the browser's own dialog is open
  say(form, "");
  if (!window.PublicKeyCredential) return say(form, UNABLE);
  form.dataset.passkeyAsking = "";
  try {
    const publicKey = read(JSON.parse(form.dataset.passkeyOptions));
    const made = form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
    form.elements.credential.value = JSON.stringify(written(made));
    form.requestSubmit();
  } catch (error) {
    say(form, { InvalidStateError: KNOWN, SecurityError: UNABLE, NotSupportedError: UNABLE }[error.name] ?? DENIED);
  } finally {
    delete form.dataset.passkeyAsking;
  }
}

function say(form, sentence) {
  const place = form.querySelector("[data-passkey-problem]");
  place.textContent = sentence;
  place.hidden = !sentence;
}

/** The server's options with their base64url texts as bytes, as the browser wants them. */
function read(options) {
  const credentials = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const known = { ...options, challenge: bytes(options.challenge) };
  if (options.user) known.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) known.excludeCredentials = credentials(options.excludeCredentials);
  if (options.allowCredentials) known.allowCredentials = credentials(options.allowCredentials);
  return known;
}

/** The browser's answer with its bytes as base64url, as the server wants them. */
function written(made) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = text(made.response[name]);
  }
  return { id: made.id, rawId: text(made.rawId), type: made.type, response };
}

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

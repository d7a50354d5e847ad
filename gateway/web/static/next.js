// Where one goes after signing in: back to where one was, else to one's account.

const PLACES = new Set(["/account", "/people"]);

/** Remember to come back to this page. */
export function comeBack() {
  sessionStorage.setItem("next", location.pathname);
}

/** Go there. */
export function arrive() {
  const next = sessionStorage.getItem("next");
  sessionStorage.removeItem("next");
  location.replace(PLACES.has(next) ? next : "/account");
}

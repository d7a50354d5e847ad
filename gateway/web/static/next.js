// Where one goes after signing in: back to where one was, else to the first page of one's role.

const PLACES = /^\/(account|people|work|planning|cases(\/new|\/[0-9a-f-]{36})?|api-docs|alerts|incidents|notices)$/;
const HOMES = {
  dentist: "/cases",
  practice_manager: "/cases",
  planner: "/work",
  coordinator: "/planning",
  privacy_officer: "/alerts",
};

/** The first page of who is signed in; one's account, where a session lacks something. */
export function home(session) {
  return session.restricted ? "/account" : (HOMES[session.account.role] ?? "/account");
}

/** Remember to come back to this page. */
export function comeBack() {
  sessionStorage.setItem("next", location.pathname);
}

/** Go there. */
export function arrive(session) {
  const next = sessionStorage.getItem("next");
  sessionStorage.removeItem("next");
  location.replace(PLACES.test(next) && !session.restricted ? next : home(session));
}

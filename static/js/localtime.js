/** time[data-local-time]: the server writes UTC; here the local time takes its place and UTC goes into the tooltip. */

import { zone } from "./format.js";

const two = (number) => String(number).padStart(2, "0");

/** Translate the times inside `scope`. */
export function wire(scope) {
  for (const element of scope.querySelectorAll("time[data-local-time]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
    element.title = `${element.dateTime.slice(0, 19).replace("T", " ")} UTC; shown in ${zone()}`;
    element.textContent = `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
  }
}

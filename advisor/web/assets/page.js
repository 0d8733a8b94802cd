"use strict";
// Everything works without this script; it makes some things quicker.

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// An error summary, or a field that was asked for, gets the focus even where the browser does not honour autofocus.
const wanted = document.querySelector("#errors") ?? document.querySelector("[autofocus]");
if (wanted && document.activeElement === document.body) wanted.focus();

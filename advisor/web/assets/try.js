// Lists the events of the element on the page, as a site would hear them.
"use strict";
(() => {
  const section = document.getElementById("heard"), list = section.querySelector("ol");
  for (const name of ["ready", "step", "result", "error"])
    document.addEventListener("advisor:" + name, ({type, detail}) => {
      const code = document.createElement("code");
      code.textContent = `${type} ${JSON.stringify(detail)}`;
      list.appendChild(document.createElement("li")).append(code);
      section.hidden = false;
    });
})();

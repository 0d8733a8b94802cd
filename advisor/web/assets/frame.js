// In a frame of somebody's site: tells that page what it has to know, and takes from it what cannot do harm.
// Messages both ways are {ns, v, id, type, data}; docs/embed.md lists them. Nothing is kept.
"use strict";
(() => {
  const NS = "seller-advisor", V = 1;
  const root = document.documentElement, host = root.dataset.origin, emit = root.dataset.emit, id = window.name;
  if (!host || !id || parent === window) return; // a frame that nobody listens to works as well

  const tell = (type, data) => parent.postMessage({ns: NS, v: V, id, type, data}, host);
  const step = () => document.querySelector("main [name=step]");
  const result = () => document.getElementById("result-data");

  // To the host

  let told;
  const height = () => {
    const now = Math.ceil(document.body.getBoundingClientRect().height);
    if (now !== told) tell("height", {height: told = now});
  };

  const answer = () => {
    const whole = JSON.parse(result().textContent);
    if (emit === "full") return whole;
    const {result_id = null, verdict, program, marketplace} = whole;
    return {result_id, verdict, program, marketplace};
  };

  const announce = () => {
    tell("ready", {});
    told = undefined;
    height();
    tell("scroll", {top: 0});
    const problem = document.querySelector("[data-problem]");
    if (problem) return tell("error", {code: "failed", status: Number(problem.dataset.problem)});
    if (result()) {
      tell("step", {step: "result"});
      if (emit !== "none") tell("result", answer());
    } else if (step()) tell("step", {step: step().value});
  };

  // A browser does not scroll the page around a frame to what a link in the frame leads to.
  addEventListener("click", event => {
    const link = event.target.closest?.("a[href^='#']");
    const there = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (there) tell("scroll", {top: Math.max(1, Math.floor(there.getBoundingClientRect().top) - 48)});
  });

  // From the host: the look

  const FONTS = new Set([
    "system-ui", "ui-sans-serif", "ui-serif", "ui-rounded", "ui-monospace", "sans-serif", "serif", "monospace",
    "-apple-system", "blinkmacsystemfont", "arial", "helvetica", "helvetica neue", "verdana", "tahoma", "trebuchet ms",
    "georgia", "times", "times new roman", "palatino", "garamond", "cambria", "calibri", "candara", "segoe ui", "roboto",
    "ubuntu", "cantarell", "noto sans", "noto serif", "noto sans cjk sc", "source sans pro", "source sans 3", "open sans",
    "lato", "inter", "montserrat", "poppins", "pingfang sc", "hiragino sans gb", "microsoft yahei", "simsun", "simhei",
    "songti sc", "stheiti", "courier new", "consolas", "menlo",
  ]);
  const COLOUR = /^(#[0-9a-f]{3,8}|(rgb|hsl)a?\([0-9.,%\/ +a-z-]{1,60}\)|[a-z]{3,24})$/i;
  const NO_COLOUR = /^(inherit|initial|unset|revert|currentcolor)$/i;
  const LENGTH = /^(0|[0-3]?\d(\.\d{1,2})?px|[0-2](\.\d{1,2})?r?em)$/;
  const READABLE = 4.5;

  // What a colour comes to: red, green and blue; null where it lets something shine through.
  const shown = colour => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = colour;
    const found = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(getComputedStyle(probe).color);
    probe.remove();
    return found && found.slice(1).map(Number);
  };
  const colour = text =>
    typeof text === "string" && COLOUR.test(text) && !NO_COLOUR.test(text) && CSS.supports("color", text)
      ? shown(text) : null;
  const light = ([red, green, blue]) => {
    const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const contrast = (one, other) => {
    const [darker, lighter] = [light(one), light(other)].sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  };
  const readable = (one, ...grounds) => grounds.every(ground => contrast(one, ground) >= READABLE);
  const mixed = (one, other, share) => one.map((value, at) => Math.round(value * share + other[at] * (1 - share)));

  let look = {};
  const dress = () => {
    const names = ["--accent", "--accent-ink", "--accent-soft", "--ink", "--bg", "--line", "--radius", "--font"];
    names.forEach(name => root.style.removeProperty(name));
    const set = (name, value) => root.style.setProperty(name, Array.isArray(value) ? `rgb(${value.join(" ")})` : value);
    const usual = name => shown(`var(${name})`);
    const [text, accent, ground, line] = [look.text, look.accent, look.bg, look.border].map(colour);
    const paper = usual("--paper");
    const writing = (given, name, grounds) => [given, usual(name)].find(one => one && readable(one, ...grounds));
    let grounds = [paper];
    // A ground on which the rest of the theme cannot be read is not taken; no more is a colour of writing.
    if (ground && ["--muted", "--good", "--bad", "--warn"].every(name => readable(usual(name), ground))) {
      const both = [paper, ground];
      if (writing(text, "--ink", both) && writing(accent, "--accent", both)) {
        set("--bg", ground);
        grounds = both;
      }
    }
    if (text && writing(text, "--ink", grounds) === text) set("--ink", text);
    if (accent && writing(accent, "--accent", grounds) === accent) {
      const [black, white] = [[0, 0, 0], [255, 255, 255]];
      set("--accent", accent);
      set("--accent-ink", contrast(accent, white) >= contrast(accent, black) ? white : black);
      set("--accent-soft", mixed(accent, paper, 0.12));
    }
    if (line) set("--line", line);
    if (LENGTH.test(look.radius)) set("--radius", look.radius);
    const fonts = String(look.font || "").slice(0, 300).split(",").map(name => name.trim().replace(/^["']|["']$/g, ""));
    const known = fonts.filter(name => FONTS.has(name.toLowerCase()));
    const quoted = known.map(name => name.includes(" ") ? `"${name}"` : name);
    if (known.length) set("--font", `${quoted.join(", ")}, ${getComputedStyle(root).getPropertyValue("--font")}`);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);

  // From the host: what to show

  const THEMES = ["auto", "light", "dark"];
  const takeAlong = (element, attribute, name, value) => {
    const given = element.getAttribute(attribute), to = new URL(given, location);
    if (to.origin !== location.origin || given.startsWith("#")) return;
    to.searchParams.set(name, value);
    element.setAttribute(attribute, to.pathname + to.search + to.hash);
  };
  const configure = ({theme, locale, marketplace}) => {
    const here = new URL(location);
    if (THEMES.includes(theme)) {
      here.searchParams.set("theme", theme);
      history.replaceState(null, "", here);
      for (const form of document.querySelectorAll("form[action]")) takeAlong(form, "action", "theme", theme);
      for (const link of document.querySelectorAll("a[href]")) takeAlong(link, "href", "theme", theme);
      for (const button of document.querySelectorAll("[formaction]")) takeAlong(button, "formaction", "theme", theme);
      root.dataset.theme = theme;
      document.querySelector("meta[name=color-scheme]").content = theme === "auto" ? "light dark" : theme;
      dress();
    }
    const wanted = /^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$/i.test(locale), moves = /^[A-Z]{2}$/.test(marketplace);
    const button = document.querySelector(".languages button[formaction]");
    if (wanted && !moves && button) { // it takes along what was typed
      takeAlong(button, "formaction", "locale", locale);
      button.click();
      return;
    }
    if (wanted) here.searchParams.set("locale", locale);
    if (moves) here.searchParams.set("marketplace", marketplace);
    if (wanted || moves) location.replace(here.pathname + here.search);
    else if (locale || marketplace) tell("ready", {}); // the loader waits for it
  };

  const FIELD = /^[a-z0-9_]{1,80}$/, OURS = ["go", "step", "was"];
  const MOST_FIELDS = 1000, LONGEST = 1000;
  // Fills in a form by the names of its fields. What is asked on a later page travels there as what was typed does.
  const prefill = data => {
    const form = step()?.form;
    if (!form || result()) return;
    for (const [name, given] of Object.entries(data).slice(0, MOST_FIELDS)) {
      if (!FIELD.test(name) || OURS.includes(name) || !["string", "number", "boolean"].includes(typeof given)) continue;
      const value = String(given).slice(0, LONGEST), fields = [...form.elements].filter(one => one.name === name);
      for (const field of fields) {
        if (["radio", "checkbox"].includes(field.type)) field.checked = field.value === value;
        else if (/^(text|search|hidden|textarea|select-one)$/.test(field.type)) field.value = value;
        else continue;
        for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, {bubbles: true}));
      }
      if (fields.length) continue;
      const hidden = document.createElement("input");
      Object.assign(hidden, {type: "hidden", name, value});
      form.append(hidden);
    }
  };

  const take = {
    theme: data => {
      look = data;
      dress();
    },
    config: configure,
    prefill,
    reset: () => location.replace(location.pathname + location.search),
  };
  addEventListener("message", ({source, origin, data}) => {
    if (source !== parent || origin !== host || data?.ns !== NS || data.v !== V || data.id !== id) return;
    if (Object.hasOwn(take, data.type)) take[data.type](Object(data.data));
  });

  announce();
  // Browsers do not focus by `autofocus` in a frame of another site. It follows what the reader has just done here.
  document.querySelector("[autofocus]")?.focus();
  new ResizeObserver(height).observe(document.body);
  addEventListener("pageshow", event => event.persisted && announce());
})();

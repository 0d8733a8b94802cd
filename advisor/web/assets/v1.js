// <seller-advisor>: the form in a frame, with the link inside it for where there is none. docs/embed.md says more.
(() => {
  "use strict";
  const NAME = "seller-advisor", PATIENCE = 6000, TALLEST = 10000;
  const ATTRIBUTES = ["key", "view", "marketplace", "locale", "theme", "emit"];
  const COLOURS = ["accent", "text", "bg", "border", "radius", "font"];
  const page = new URL("../embed", document.currentScript.src);
  if (customElements.get(NAME)) return;

  customElements.define(NAME, class extends HTMLElement {
    #frame; #timer; #sight; #ready; #later; #queue = [];
    #link = document.createElement("slot");

    connectedCallback() {
      const url = new URL(page), given = name => this.getAttribute(name) || "";
      for (const name of ATTRIBUTES) if (given(name)) url.searchParams.set(name, given(name));
      const language = given("locale") || document.documentElement.lang;
      if (language) url.searchParams.set("locale", language);
      url.searchParams.set("origin", location.origin);
      const frame = this.#frame = document.createElement("iframe");
      frame.title = given("title") || "Seller Program Advisor";
      frame.name = crypto.getRandomValues(new Uint32Array(3)).join("-");
      frame.loading = given("loading") === "lazy" ? "lazy" : "eager";
      frame.referrerPolicy = "no-referrer";
      // Set one by one: a style attribute would fall to the policy of the page.
      Object.assign(frame.style, {display: "block", width: "100%", height: "0", border: "0", visibility: "hidden"});
      frame.src = url;
      (this.shadowRoot || this.attachShadow({mode: "open"})).replaceChildren(this.#link, frame);
      addEventListener("message", this);
      if (frame.loading === "eager") return this.#wait();
      this.#sight = new IntersectionObserver(seen => seen.some(one => one.isIntersecting) && this.#wait());
      this.#sight.observe(this);
    }

    disconnectedCallback() {
      this.#rest();
      this.#frame?.remove();
    }

    prefill(data) { this.#say("prefill", data); }

    config(data) { this.#say("config", data); }

    reset() { this.#say("reset"); }

    handleEvent({source, origin, data}) {
      const frame = this.#frame;
      if (source !== frame.contentWindow || origin !== page.origin) return;
      if (data?.ns !== NAME || data.v !== 1 || data.id !== frame.name) return;
      const {type, data: told} = data;
      if (type === "ready") this.#begin();
      else if (type === "height") this.#grow(told);
      else if (type === "scroll") this.#show(told);
      else if (["step", "result", "error"].includes(type)) this.#tell(type, told);
    }

    #wait() {
      this.#sight?.disconnect();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#fail(), PATIENCE);
    }

    #rest() {
      clearTimeout(this.#timer);
      this.#sight?.disconnect();
      removeEventListener("message", this);
      this.#ready = false;
    }

    #fail() {
      this.#rest();
      this.shadowRoot.replaceChildren(this.#link);
      this.#tell("error", {code: "no_answer"});
    }

    // Every page in the frame is ready once; those that the reader went on to are `later` ones.
    #begin() {
      this.#later = this.#ready;
      this.#ready = true;
      clearTimeout(this.#timer);
      this.#link.remove();
      this.#frame.style.visibility = "";
      const style = getComputedStyle(this), set = name => [name, style.getPropertyValue("--advisor-" + name).trim()];
      this.#say("theme", Object.fromEntries(COLOURS.map(set).filter(one => one[1])));
      while (this.#ready && this.#queue.length) this.#say(...this.#queue.shift());
      if (this.#ready && !this.#later) this.#tell("ready", {});
    }

    #say(type, data = {}) {
      if (!this.#ready) return void this.#queue.push([type, data]);
      const {name, contentWindow} = this.#frame;
      contentWindow.postMessage({ns: NAME, v: 1, id: name, type, data}, page.origin);
      if (type !== "reset" && !(type === "config" && (data.locale || data.marketplace))) return;
      this.#ready = false; // until the form has begun anew
      this.#wait();
    }

    #tell(type, detail) {
      this.dispatchEvent(new CustomEvent("advisor:" + type, {detail, bubbles: true, composed: true}));
    }

    #grow({height}) {
      const least = parseInt(this.getAttribute("height-min")) || 0;
      this.#frame.style.height = Math.min(Math.max(height, least), TALLEST) + "px";
    }

    // Shows a place in the frame that is out of sight; its top only once the reader went on.
    #show({top}) {
      const y = this.#frame.getBoundingClientRect().top + top;
      if (!(top || this.#later) || (y >= 0 && y < innerHeight)) return;
      this.#frame.style.scrollMarginTop = -top + "px";
      this.#frame.scrollIntoView();
    }
  });
})();

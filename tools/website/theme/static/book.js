// What a page does beyond being read: theme, editions, menu, sections, copying.
// Everything here is an extra; the page is complete without it.
"use strict";

(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const find = (selector) => document.querySelector(selector);
  const store = {
    set(key, value) {
      try {
        localStorage.setItem(key, value);
      } catch { /* no storage: nothing is remembered */ }
    },
  };
  const labels = {
    zh: { copy: "复制", copied: "已复制" },
    en: { copy: "Copy", copied: "Copied" },
    both: { copy: "复制 · Copy", copied: "已复制 · Copied" },
  }[root.dataset.edition];

  // Light or dark: what the system says, until a reader says otherwise.
  find(".theme").addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    store.set("theme", theme);
  });

  // The list of chapters, on a narrow screen.
  const menu = find(".menu");
  const chapters = find("#chapters");
  const unfold = (open) => {
    chapters.classList.toggle("open", open);
    menu.setAttribute("aria-expanded", String(open));
  };
  menu.addEventListener("click", () => unfold(!chapters.classList.contains("open")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chapters.classList.contains("open")) {
      unfold(false);
      menu.focus();
    }
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey;
    if (slash || (event.key === "k" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      ask();
    }
  });

  // The search: its script comes when it is asked for. Without it the link leads to the
  // page of the search.
  const link = find(".ask");
  const script = link.href.replace(/search\.html.*$/, "_static/search.js");
  let searching;
  const ask = async () => {
    searching ||= typeof bookSearch === "undefined"
      ? new Promise((done, failed) => {
        document.head.append(Object.assign(document.createElement("script"), { src: script, onload: done, onerror: failed }));
      })
      : Promise.resolve();
    try {
      await searching;
      bookSearch.open();
    } catch {
      location.href = link.href;
    }
  };
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ask();
  });

  // Another edition opens at the section that is being read.
  const sections = all("article section[id]");
  const current = () => {
    if (!sections.length) return undefined;
    const top = parseFloat(getComputedStyle(sections[0]).scrollMarginTop) + 8;
    return sections.filter((s) => s.getBoundingClientRect().top <= top).pop();
  };
  store.set("edition", root.dataset.edition);
  for (const link of all(".editions a")) {
    link.addEventListener("click", () => {
      const section = current();
      link.hash = section && scrollY > 0 ? section.id : "";
      if (location.search) link.search = location.search;
      store.set("edition", link.dataset.edition);
    });
  }

  // The section that is being read is marked in the list of sections.
  const links = new Map(all(".sections a").map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  let waiting = false;
  const mark = () => {
    waiting = false;
    const id = current()?.id;
    for (const [name, link] of links) {
      if (name === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  if (links.size) {
    addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(mark);
      waiting = true;
    }, { passive: true });
    mark();
  }

  // What scrolls sideways can be reached by the keyboard.
  const reach = () => {
    for (const box of all("pre, div.math, .map, .wide-table, .output")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  addEventListener("load", reach);

  // Code can be copied.
  for (const box of navigator.clipboard ? all(".cell_input, article section > div > .highlight") : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = labels.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("pre").textContent.trimEnd());
      button.textContent = labels.copied;
      setTimeout(() => { button.textContent = labels.copy; }, 1500);
    });
    box.append(button);
  }
})();

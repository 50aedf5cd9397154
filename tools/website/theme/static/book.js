// What a page does beyond being read: theme, editions, menu, sections, search, copying.
// Everything here is an extra; the page is complete without it. Nothing is measured
// before the reader scrolls, so that the browser need not lay out what is out of sight.
"use strict";

(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const find = (selector) => document.querySelector(selector);
  const speak = (zh, en) => ({ zh, en })[root.dataset.edition] || `${zh} · ${en}`;
  const store = {
    set(key, value) {
      try {
        localStorage.setItem(key, value);
      } catch { /* no storage: nothing is remembered */ }
    },
  };

  // Light, dark, or as the system is: this at first, then the one that is not seen, so
  // that the button shows at once what it does.
  const themes = { light: ["浅色", "light"], dark: ["深色", "dark"], system: ["跟随系统", "as the system"] };
  const themeButton = find(".theme");
  const wear = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    const [zh, en] = themes[theme];
    themeButton.title = speak(`外观：${zh}`, `Theme: ${en}`);
    themeButton.setAttribute("aria-label", themeButton.title);
  };
  wear(root.dataset.theme || "system");
  themeButton.addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const turn = dark ? ["system", "light", "dark"] : ["system", "dark", "light"];
    const theme = turn[(turn.indexOf(root.dataset.theme || "system") + 1) % turn.length];
    wear(theme);
    store.set("theme", theme);
  });

  // On a narrow screen the list of chapters and the list of sections are sheets, each
  // with its button in the bar.
  const sheets = [[find(".menu"), find("#chapters")], [find(".where"), find("#on-this-page")]]
    .filter(([button, sheet]) => button && sheet);
  const unfold = (button, sheet, open) => {
    sheet.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    root.classList.toggle("covered", open);
    if (open) sheet.querySelector("[aria-current], .current > a")?.scrollIntoView({ block: "center" });
  };
  for (const [button, sheet] of sheets) {
    button.addEventListener("click", () => {
      const open = !sheet.classList.contains("open");
      for (const [other, its] of sheets) unfold(other, its, its === sheet && open);
    });
    sheet.addEventListener("click", (event) => {
      if (event.target.closest("a")) unfold(button, sheet, false);
    });
  }
  document.addEventListener("keydown", (event) => {
    const open = sheets.find(([, sheet]) => sheet.classList.contains("open"));
    if (event.key === "Escape" && open) {
      unfold(...open, false);
      open[0].focus();
    }
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey;
    if (slash || (event.key === "k" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      ask();
    }
  });

  // In both languages a title in the lists has little room: it is told in whole.
  if (root.dataset.edition === "both") {
    for (const entry of all(".chapters a, .sections a")) entry.title = entry.textContent;
  }

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

  // What is being read: the last element of a kind that begins above the upper edge.
  const reading = (elements) => {
    const edge = 80;  // the bar, and a little
    let from = 0, to = elements.length;  // they come in the order of the page
    while (from < to) {
      const half = (from + to) >> 1;
      if (elements[half].getBoundingClientRect().top <= edge) from = half + 1;
      else to = half;
    }
    return elements[from - 1];
  };

  // Another edition opens at the very place: both have the same cells, one by one, and
  // what the editions say in turns counts as one.
  const sections = all("article section[id]");
  const pieces = (section) => [...section.children].filter((e) => e.tagName !== "SECTION"
    && !(root.dataset.edition === "both" && e.matches(".lang-en")));
  store.set("edition", root.dataset.edition);
  for (const other of all(".editions a")) {
    other.addEventListener("click", () => {
      const section = scrollY > 0 ? reading(sections) : undefined;
      other.hash = section ? section.id : "";
      if (location.search) other.search = location.search;
      store.set("edition", other.dataset.edition);
      const within = section ? pieces(section) : [];
      const piece = within.indexOf(reading(within));
      try {
        sessionStorage.setItem("place", JSON.stringify([section?.id, piece]));
      } catch { /* then it opens at the section */ }
    });
  }
  let place;
  try {
    const [id, piece] = JSON.parse(sessionStorage.getItem("place") || "[]");
    sessionStorage.removeItem("place");
    const section = id && location.hash === `#${id}` && document.getElementById(id);
    place = section && piece > 0 && pieces(section)[piece];
  } catch { /* then it stays at the section */ }

  // What lies above the place that a link leads to may turn out to be longer than was
  // thought, once it is laid out: the place is looked for again in the next frames.
  const arrive = (target) => {
    let frames = 0;
    const again = () => {
      target.scrollIntoView();
      if (++frames < 6) requestAnimationFrame(again);
    };
    again();
  };
  const aimed = () => document.getElementById(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", () => { if (aimed()) arrive(aimed()); });
  addEventListener("load", () => {
    if (place || aimed() && scrollY > 0) arrive(place || aimed());
  });

  // The section that is being read is marked in the list of sections, which follows,
  // and named in the bar of a narrow screen.
  const links = new Map(all(".sections a[href*='#']").map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  const follow = (list, entry) => {
    if (!entry || getComputedStyle(list).overflowY !== "auto") return;
    const box = list.getBoundingClientRect(), at = entry.getBoundingClientRect();
    if (at.top < box.top + 8 || at.bottom > box.bottom - 8) {
      list.scrollTop += at.top - box.top - box.height / 2;
    }
  };
  let waiting = false, marked;
  const mark = () => {
    waiting = false;
    const entry = links.get(reading(sections)?.id);
    if (entry === marked) return;
    marked?.removeAttribute("aria-current");
    entry?.setAttribute("aria-current", "true");
    marked = entry;
    follow(find("#on-this-page"), entry);
    const title = find(".where span");
    if (title) title.textContent = entry?.textContent || title.dataset.title;
  };
  if (links.size) {
    addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(mark);
      waiting = true;
    }, { passive: true });
  }
  const idle = window.requestIdleCallback || setTimeout;
  idle(() => follow(find("#chapters"), find("#chapters .current > a")));

  // What scrolls sideways can be reached by the keyboard, and shows that there is more.
  const boxes = "pre, div.math, .map, .wide-table, .cell_output .output";
  const more = ({ target: box }) => {
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  };
  const reach = (box) => {
    const wide = box.scrollWidth > box.clientWidth + 1;
    if (wide) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    more({ target: box });
    box.removeEventListener("scroll", more);
    if (wide) box.addEventListener("scroll", more, { passive: true });
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) reach(entry.target);
  }, { rootMargin: "200px" });
  for (const box of all(boxes)) seen.observe(box);
  // Those far away are measured a few at a time, when there is nothing else to do: the
  // keyboard should find them before they have been seen.
  let far = [];
  const measure = (deadline) => {
    do if (far.length) reach(far.pop()); while (far.length && deadline?.timeRemaining?.() > 8);
    if (far.length) idle(measure);
    else root.dataset.measured = "";
  };
  const measureFar = () => {
    delete root.dataset.measured;
    if (!far.length) idle(measure);
    far = all(boxes);
  };
  addEventListener("load", () => setTimeout(measureFar, 300));
  addEventListener("resize", () => {
    for (const box of all(boxes)) {
      seen.unobserve(box);  // to be measured again at once if it is near
      seen.observe(box);
    }
    measureFar();
  });

  // A figure that moves: its scripts come when the reader is near. If one of them does
  // not, the picture above it stands alone.
  const bring = (file) => new Promise((done, failed) => {
    const kind = file.endsWith(".css") ? { rel: "stylesheet", href: file } : { src: file };
    const tag = file.endsWith(".css") ? "link" : "script";
    document.head.append(Object.assign(document.createElement(tag), kind, { onload: done, onerror: failed }));
  });
  const enliven = async (place) => {
    const name = place.dataset.live, folder = `${root.dataset.content_root}_static/live/`;
    try {
      await Promise.all(["frame.css", "frame.js"].map((file) => bring(folder + file)));
      await Promise.all([`${name}.js`, `${name}-numbers.js`].map((file) => bring(folder + file)));
      recsysLive.start(place, name);
    } catch {
      place.remove();
    }
  };
  const coming = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      coming.unobserve(target);
      idle(() => enliven(target));
    }
  }, { rootMargin: "600px" });
  for (const place of all(".live[data-live]")) coming.observe(place);

  // The results: those of one verdict alone.
  const verdicts = all(".tally .verdict");
  for (const badge of verdicts) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: badge.className });
    button.append(...badge.childNodes);
    button.setAttribute("aria-pressed", "false");
    badge.replaceWith(button);
    button.addEventListener("click", () => {
      const chosen = button.getAttribute("aria-pressed") === "false" && button.classList[1];
      for (const other of all(".tally button")) other.setAttribute("aria-pressed", String(other === button && !!chosen));
      for (const row of all("table.claims tbody tr")) row.hidden = chosen && !row.classList.contains(chosen);
      for (const table of all("table.claims")) table.closest("section").hidden = !table.querySelector("tbody tr:not([hidden])");
    });
  }

  // The glossary: the lines that hold what is typed.
  const terms = find("table.terms");
  if (terms) {
    const filter = Object.assign(document.createElement("input"), { type: "search", className: "filter" });
    filter.placeholder = speak("筛选：门控，gate", "filter: gate, embedding");
    filter.setAttribute("aria-label", speak("筛选术语", "Filter the terms"));
    filter.addEventListener("input", () => {
      const sought = filter.value.trim().toLowerCase();
      for (const row of terms.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(sought);
    });
    terms.before(filter);
  }

  // What a link points to is shown beside it: an equation, a figure, what a term means,
  // which paper it is. What is said of a paper stands at the first of its links; here
  // its title gets a line of its own.
  const papers = new Map(all("a.cites[title]").map((a) => [a.href, a.title.replace(" · ", "\n")]));
  let preview;
  let shownFor;
  const hide = (event) => {
    if (event && event.type !== "keydown" && event.currentTarget !== shownFor) return;
    preview?.remove();
    shownFor?.removeAttribute("aria-describedby");
  };
  for (const pointer of all("a.points, a.term, a.cites")) {
    const says = pointer.matches(".term") ? pointer.title : papers.get(pointer.href);
    pointer.removeAttribute("title");
    const show = () => {
      const target = says || document.getElementById(decodeURIComponent(pointer.hash.slice(1)));
      const shown = says || (target?.matches("div.math") ? target : target?.querySelector("img"))?.cloneNode(true);
      hide();
      if (!shown) return;
      shownFor = pointer;
      preview = Object.assign(document.createElement("div"), { className: "preview", id: "preview" });
      if (pointer.matches(".cites")) preview.lang = "en";
      if (!says) {
        shown.removeAttribute("id");
        shown.removeAttribute("tabindex");
        shown.removeAttribute("loading");
      }
      preview.setAttribute("role", "tooltip");
      preview.append(says ? says.replaceAll("$", "").replaceAll("\\", "") : shown);
      document.body.append(preview);
      pointer.setAttribute("aria-describedby", preview.id);
      const at = pointer.getBoundingClientRect(), size = preview.getBoundingClientRect();
      const above = at.top > size.height + 70;
      preview.style.top = `${scrollY + (above ? at.top - size.height - 8 : at.bottom + 8)}px`;
      preview.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 16))}px`;
    };
    for (const kind of ["mouseenter", "focus"]) pointer.addEventListener(kind, show);
    for (const kind of ["mouseleave", "blur", "click"]) pointer.addEventListener(kind, hide);
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(event); });

  // A figure opens in its full size.
  let large;
  for (const figure of all("a.zoom")) {
    figure.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      if (!large) {
        large = Object.assign(document.createElement("dialog"), { className: "zoomed" });
        large.setAttribute("aria-label", speak("放大的图", "The figure, enlarged"));
        large.addEventListener("click", () => large.close());
        document.body.append(large);
      }
      const close = Object.assign(document.createElement("button"), { type: "button", className: "close", textContent: speak("关闭", "Close") });
      const image = figure.querySelector("img").cloneNode();
      image.loading = "eager";
      large.replaceChildren(close, image);
      large.showModal();
    });
  }

  // Code can be copied.
  all(navigator.clipboard ? ".cell_input, article section > div > .highlight" : "none").forEach((box, n) => {
    const copy = speak("复制", "Copy");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: copy });
    button.setAttribute("aria-label", `${copy} ${n + 1}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("pre").textContent.trimEnd());
      button.textContent = speak("已复制", "Copied");
      setTimeout(() => { button.textContent = copy; }, 1500);
    });
    box.append(button);
  });
})();

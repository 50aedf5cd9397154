// The search: what a term is, which sections come first, and how they are shown.
// What is gone through comes from tools/website/ext/search.py, one script per language.
"use strict";

const bookSearch = (() => {
  const root = document.documentElement;
  const HAN = /^[\u3400-\u9fff]+$/u;
  const RUNS = /[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[\p{L}\p{N}_'’-])+/gu;
  const GREEK = Object.fromEntries([..."αβγδεζηθικλμνξπρστφχψω"].map((c, i) => [c,
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
      "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"][i]]));
  // Words of questions, which say nothing of what is asked about.
  const ASKING = /请问|怎么样|怎么|怎样|什么是|是什么|什么|如何|为何|为什么|哪些|哪个|多少|是不是|有没有|可以|区别|吗|呢|的|了|是|和|与/g;
  const COMMON = new Set(("a an the is are was be do does did how what why when which who where to of in on for with by"
    + " from as at it its this that and or not can i you we me my your there into than between about").split(" "));
  // How much a term counts where it stands: title, heading, text, code, formulas.
  const FIELDS = [["title", 5], ["heading", 6], ["text", 1], ["code", 0.5], ["formulas", 2]];
  const K1 = 1.2, B = 0.6, SHARE = 0.25;
  // Sections that repeat, or list, stand below those that explain.
  const LESSER = [[/^(练习|Exercise)/, 0.6], [/^(参考|References)/, 0.3], [/^(后来|What came after)/, 0.6], [/^(记号|Notation)/, 0.8]];

  // --- terms

  // British as American, plural as singular, "-ing" and "-ed" off: alike, not correct.
  const stem = (word) => {
    let w = word.replace(/['’]s?$/, "");
    if (w.length < 4 || /\d|_/.test(w)) return w;
    w = w.replace(/y[sz](e[sd]?|ing)$/, "ys").replace(/i[sz](?=(e[sdr]?|ing|ations?|ers?)$)/, "is")
      .replace(/our(?=(s|ed|ing|al|ite|able)?$)/, "or").replace(/tre(?=s?$)/, "ter")
      .replace(/ogue(?=s?$)/, "og").replace(/ence?(?=s?$)/, "ens");
    for (const end of [/(ations?|ings?|ions?)$/, /(ers?|ed|es|ly|al|ors?)$/, /(s|e|y)$/]) {
      const short = w.replace(end, "");
      if (short !== w && short.length > 2 && !/ss$/.test(w)) {
        w = short;
        break;
      }
    }
    return w.replace(/([lmnprtgd])\1$/, "$1").replace(/e$/, "").replace(/i$/, "");
  };

  let simple = new Map();  // traditional character -> simplified
  const fold = (text) => text.normalize("NFKC").toLowerCase()
    .replace(/[\u3400-\u9fff]/g, (c) => simple.get(c) || c)
    .replace(/[α-ω]/g, (c) => GREEK[c] || c);

  // The terms of a text with their places: of Chinese the pairs of characters, of a word
  // with a hyphen its parts and the whole.
  const terms = function* (text, singles) {
    for (const found of text.matchAll(RUNS)) {
      const at = found.index, raw = found[0], run = fold(raw);
      if (HAN.test(run)) {
        if (singles || run.length === 1) for (let i = 0; i < run.length; i++) yield [run[i], at + i, 1];
        for (let i = 0; i + 1 < run.length; i++) yield [run.slice(i, i + 2), at + i, 2];
        continue;
      }
      const parts = run.split(/[-'’]+/).filter(Boolean);
      if (parts.length > 1) yield [stem(parts.join("")), at, raw.length];
      for (const part of parts.length > 1 ? parts : [run.replace(/['’-]/g, "")]) {
        yield [stem(part), at, raw.length];
        if (part.includes("_")) for (const one of part.split("_")) if (one.length > 1) yield [stem(one), at, raw.length];
      }
    }
  };

  // All of a text as one word, for "is this in that?"
  const joined = (text) => {
    let end = 0, whole = "";
    for (const [term, at, length] of terms(text, true)) {
      if (at < end || HAN.test(term) && length > 1) continue;  // pairs overlap
      whole += HAN.test(term) ? term : `${term} `;
      end = at + length;
    }
    return whole;
  };

  // --- the index, made in the browser when the text has come

  const indexes = {};
  const pause = () => new Promise((go) => setTimeout(go));
  const build = async (given, unpack) => {
    const pages = given.pages.map(([name, title, weight]) => ({ name, title: unpack(title), weight, parts: [] }));
    const parts = [];
    const postings = new Map();  // term -> Map(part -> weighted count)
    const lengths = FIELDS.map(() => 0);
    for (const n of given.parts[0].keys()) {
      const [page, ...packed] = given.parts.map((column) => column[n]);
      const [anchor, heading, text, code, formulas] = packed.map(unpack);
      if (n % 20 === 19) await pause();  // the page stays responsive
      const first = !pages[page].parts.length;
      const lesser = LESSER.find(([pattern]) => pattern.test(heading));
      const weight = pages[page].weight * (lesser ? lesser[1] : 1);
      const part = { page: pages[page], anchor, heading, text, first, weight };
      const said = { title: first ? part.page.title : "", heading: first ? "" : heading, text, code, formulas };
      part.counts = FIELDS.map(([field]) => {
        const counts = new Map();
        for (const [term] of terms(said[field], true)) counts.set(term, (counts.get(term) || 0) + 1);
        return counts;
      });
      part.lengths = part.counts.map((counts) => [...counts.values()].reduce((a, b) => a + b, 0));
      part.lengths.forEach((n, i) => { lengths[i] += n; });
      part.page.parts.push(part);
      parts.push(part);
    }
    for (const [n, part] of parts.entries()) {
      if (n % 60 === 59) await pause();
      part.counts.forEach((counts, i) => {
        const average = lengths[i] / parts.length || 1;
        const norm = FIELDS[i][1] / (1 - B + B * part.lengths[i] / average);
        const longest = FIELDS[i][0] === "text" ? norm : FIELDS[i][1];
        for (const [term, count] of counts) {
          if (!postings.has(term)) postings.set(term, new Map());
          const of = postings.get(term);
          of.set(part, (of.get(part) || 0) + longest * count);
        }
      });
      delete part.counts;
    }
    const latin = [...postings.keys()].filter((term) => /^[a-z_]{4,}$/.test(term));
    const concepts = given.terms.map(([names, page, anchor]) => ({
      names: names.map((name) => joined(unpack(name))), page: pages[page],
      part: pages[page].parts.find((part) => part.anchor === unpack(anchor)),
    })).concat(pages.map((page) => ({ names: [joined(page.title.split(/[：:·]/)[0])], page })));
    return { parts, pages, postings, latin, concepts };
  };

  // --- one letter wrong, too many, missing, or two exchanged

  const near = (a, b) => {
    if (Math.abs(a.length - b.length) > 1) return false;
    let i = 0;
    while (i < a.length && a[i] === b[i]) i++;
    let j = 0;
    while (j < a.length - i && j < b.length - i && a[a.length - 1 - j] === b[b.length - 1 - j]) j++;
    const x = a.slice(i, a.length - j), y = b.slice(i, b.length - j);
    return x.length <= 1 && y.length <= 1 || x.length === 2 && y === x[1] + x[0];
  };

  // What a query asks for: term -> the terms of the index that stand for it.
  const wanted = (query, index) => {
    const asked = new Map();
    const add = (term, also, weight) => {
      if (!asked.has(term)) asked.set(term, [...also].map((t) => [t, weight]));
    };
    const text = fold(query).replace(ASKING, " ");
    const words = [...terms(text, false)].map(([term]) => term);
    const bare = words.length ? words : [...terms(fold(query), false)].map(([term]) => term);
    const last = /[\p{L}\p{N}]$/u.test(query) ? bare[bare.length - 1] : "";
    const latin = bare.filter((word) => !HAN.test(word));
    for (const word of bare) {
      if (COMMON.has(word) && bare.length > 1) continue;
      if (index.postings.has(word)) add(word, [word], HAN.test(word) && word.length === 1 && bare.length > 1 ? 0.25 : 1);
      else if (!HAN.test(word) && word.length > 3) {
        const close = index.latin.filter((term) => near(word, term));
        if (close.length) add(word, close, 0.7);
      }
      if (word === last && !HAN.test(word) && word.length > 1) {  // still being typed
        const longer = index.latin.filter((term) => term.startsWith(word) && term !== word).slice(0, 30);
        if (longer.length) asked.set(word, [...(asked.get(word) || []), ...longer.map((t) => [t, 0.4])]);
      }
    }
    for (let i = 0; i + 1 < latin.length; i++) {  // "multi task" for "multitask"
      const joined = stem(latin[i] + latin[i + 1]);
      if (index.postings.has(joined)) add(joined, [joined], 1);
    }
    return asked;
  };

  const squeezed = (text) => fold(text).replace(/[^\p{L}\p{N}]+/gu, "");

  // Sections in order, the best first: `[{part, score}]`.
  const rank = (query, index) => {
    const asked = wanted(query, index);
    const N = index.parts.length;
    const scores = new Map();
    let total = 0;
    for (const alternatives of asked.values()) {
      const best = new Map();  // part -> [count, idf]
      let idf = 0;
      for (const [term, weight] of alternatives) {
        const of = index.postings.get(term);
        if (!of) continue;
        const rare = Math.log(1 + (N - of.size + 0.5) / (of.size + 0.5));
        idf = Math.max(idf, rare * Math.min(1, weight + 0.1));
        for (const [part, count] of of) {
          const score = weight * rare * count * (K1 + 1) / (count + K1);
          if (!(best.get(part) >= score)) best.set(part, score);
        }
      }
      total += idf;
      for (const [part, score] of best) {
        const got = scores.get(part) || { score: 0, met: 0 };
        got.score += score;
        got.met += idf;
        scores.set(part, got);
      }
    }
    const asking = squeezed(query.replace(ASKING, " "));
    const phrase = asking.length > 1 ? asking : squeezed(query);  // 怎样读 is a title
    const whole = joined(query.replace(ASKING, " "));
    const concepts = index.concepts.filter(({ names }) => names.some((name) => whole.includes(name)));
    const ofPage = new Map();
    for (const [part, got] of scores) {
      got.score *= (got.met / (total || 1)) ** 1.5;
      if (phrase.length > 1) {
        const title = part.first ? part.page.title : part.heading;
        const names = [title, ...title.split(/[：:·|—]/)].map(squeezed);
        if (names.includes(phrase)) got.score *= part.first ? 2.5 : 1.5;
        else if (names[0].includes(phrase)) got.score *= 1.2;
        if (phrase.length > 2 && squeezed(part.text).includes(phrase)) got.score *= 1.3;
      }
      for (const concept of concepts) {  // where a term is explained
        if (concept.part === part) got.score *= 2;
        else if (concept.page === part.page) got.score *= concept.part ? 1.4 : 1.8;
      }
      got.score *= part.weight;
      ofPage.set(part.page, [...(ofPage.get(part.page) || []), got.score]);
    }
    for (const [part, got] of scores) {  // a page that speaks of it throughout
      const others = ofPage.get(part.page).sort((a, b) => b - a).slice(0, 12);
      got.score += SHARE * others.reduce((a, b) => a + b, 0);
    }
    const best = Math.max(0, ...[...scores.values()].map((got) => got.score));
    for (const { names, part } of concepts) {  // asked for by its very name
      if (part && names.includes(whole)) scores.set(part, { score: 1.05 * best });
    }
    return [...scores].map(([part, got]) => ({ part, score: got.score })).sort((a, b) => b.score - a.score);
  };

  // At most two sections of a page, at most `most` in all.
  const find = (query, index, most = 10) => {
    const taken = new Map(), found = [];
    for (const hit of rank(query, index)) {
      const times = taken.get(hit.part.page) || 0;
      if (times < 2 && found.length < most && (!found.length || hit.score > found[0].score / 12)) {
        taken.set(hit.part.page, times + 1);
        found.push(hit);
      }
    }
    return found;
  };

  // Headings that share most with a query that found nothing.
  const nearest = (query, index) => {
    const letters = new Set(squeezed(query));
    const alike = (text) => {
      const own = new Set(squeezed(text));
      return [...own].filter((c) => letters.has(c)).length / Math.max(own.size, letters.size, 1);
    };
    return index.parts.map((part) => ({ part, score: alike(part.first ? part.page.title : part.heading) }))
      .filter((hit) => hit.score > 0).sort((a, b) => b.score - a.score).slice(0, 5);
  };

  // Where a section speaks of it: the stretch of text with most of the terms, marked.
  const excerpt = (part, asked, long) => {
    const sought = new Set([...asked.values()].flat().map(([term]) => term));
    const places = [];
    for (const [term, at, length] of terms(part.text, sought.size && [...sought].some((t) => t.length === 1))) {
      if (sought.has(term)) places.push({ term, at, end: at + length });
    }
    let best = { kinds: 0, start: 0 };
    places.forEach((first, i) => {
      const kinds = new Set();
      for (let j = i; j < places.length && places[j].end - first.at < long; j++) kinds.add(places[j].term);
      if (kinds.size > best.kinds) best = { kinds: kinds.size, start: first.at };
    });
    let start = Math.max(0, best.start - Math.round(long / 6));
    if (start) start += Math.max(0, part.text.slice(start, start + 20).search(/[\s，。；：]/) + 1);
    const stop = Math.min(part.text.length, start + long);
    const pieces = [];
    let at = start;
    for (const place of places) {
      if (place.end <= at || place.at < start || place.end > stop) continue;
      const from = Math.max(at, place.at);
      if (from > at) pieces.push([part.text.slice(at, from), false]);
      pieces.push([part.text.slice(from, place.end), true]);
      at = place.end;
    }
    pieces.push([part.text.slice(at, stop) + (stop < part.text.length ? "…" : ""), false]);
    return start ? [["…", false], ...pieces] : pieces;
  };

  const learn = (traditional) => {
    for (let i = 0; i < traditional.length; i += 2) simple.set(traditional[i], traditional[i + 1]);
  };

  const coming = {};  // language -> a promise of its index
  return { terms, stem, fold, build, find, rank, nearest, wanted, excerpt, indexes, coming, learn };
})();

// What the script of an edition calls when it has come. Its letters outside of ASCII are
// written as others, that take two bytes instead of three: see `pack` in search.py.
function addToSearch(language, letters, data) {
  const unpack = (text) => text.replace(/[\u0080-\u07ff]/g, (c) => letters[c.charCodeAt(0) - 0x80]);
  bookSearch.learn(unpack(data.traditional));
  bookSearch.coming[language] = bookSearch.build(data, unpack).then((index) => {
    bookSearch.indexes[language] = index;
  });
}

// --- on the page: a field, and a list of sections below it

(() => {
  const root = document.documentElement;
  const edition = root.dataset.edition, up = root.dataset.content_root;
  const speak = (zh, en) => ({ zh, en })[edition] || `${zh} · ${en}`;
  const make = (tag, options = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...children);
    return element;
  };

  // In the edition of both languages, that of the query is gone through.
  const languageOf = (query) => edition !== "both" ? edition : /[\u3400-\u9fff]/.test(query) ? "zh" : "en";
  const asked = {};
  const load = (language) => asked[language] ||= new Promise((done, failed) => {
    document.head.append(make("script", {
      src: `${up}_static/search-${language}.js`, onload: done, onerror: failed,
    }));
  }).then(() => bookSearch.coming[language]);

  const marked = (pieces) => pieces.map(([text, hit]) => hit ? make("mark", {}, text) : text);

  const entry = ({ part }, asked, query) => {
    const link = make("a", { href: `${up}${part.page.name}.html${part.first ? "" : `#${part.anchor}`}` });
    link.append(make("strong", {}, part.first ? part.page.title : part.heading));
    if (!part.first) link.append(make("small", {}, part.page.title));
    const long = /[\u3400-\u9fff]/.test(query) ? 90 : 170;
    const text = make("span", {}, ...marked(bookSearch.excerpt(part, asked, long)));
    link.append(text);
    return make("li", {}, link);
  };

  // A field and what it finds; `most` sections at the most.
  const panel = (most) => {
    const input = make("input", { type: "search", name: "q", autocomplete: "off", spellcheck: false,
      placeholder: speak("词、短语、公式：负采样，L_aux", "words or symbols: gate, L_aux") });
    input.setAttribute("aria-label", speak("要找的词", "What to look for"));
    const status = make("p", { className: "status" });
    status.setAttribute("role", "status");
    const list = make("ul", { className: "hits" });
    let latest = 0;

    const show = async () => {
      const query = input.value.trim(), turn = ++latest;
      if (!query) {
        list.replaceChildren();
        status.textContent = "";
        return;
      }
      const language = languageOf(query);
      try {
        await load(language);
      } catch {
        status.textContent = speak("搜索的数据没有取到，请检查网络后再试。",
          "What is searched did not arrive: check the network and try again.");
        return;
      }
      if (turn !== latest) return;
      const index = bookSearch.indexes[language];
      const hits = bookSearch.find(query, index, most);
      const asked = bookSearch.wanted(query, index);
      const offered = hits.length ? hits : bookSearch.nearest(query, index);
      list.replaceChildren(...offered.map((hit) => entry(hit, asked, query)));
      status.textContent = hits.length
        ? speak(`找到 ${hits.length} 处`, `${hits.length} section${hits.length > 1 ? "s" : ""}`)
        : offered.length
          ? speak(`没有找到“${query}”。最接近的是：`, `Nothing found for “${query}”. The nearest:`)
          : speak(`没有找到“${query}”，换个词试试。`, `Nothing found for “${query}”: try another word.`);
      list.dataset.query = query;
    };
    input.addEventListener("input", show);

    // Up and down walk through the list, Enter in the field opens its first entry.
    const walk = (event) => {
      const links = [...list.querySelectorAll("a")];
      const at = links.indexOf(document.activeElement);
      if (event.key === "ArrowDown" && links.length) {
        (links[at + 1] || links[at]).focus();
        event.preventDefault();
      } else if (event.key === "ArrowUp" && at >= 0) {
        (links[at - 1] || input).focus();
        event.preventDefault();
      } else if (event.key === "Enter" && document.activeElement === input) {
        event.preventDefault();
        if (list.dataset.query === input.value.trim()) links[0]?.click();
      }
    };
    return { input, status, list, show, walk };
  };

  // The page of the search: its address holds the query.
  const place = document.querySelector("#search");
  if (place) {
    const { input, status, list, show, walk } = panel(20);
    input.value = new URLSearchParams(location.search).get("q") || "";
    input.addEventListener("input", () => {
      history.replaceState(null, "", `?q=${encodeURIComponent(input.value.trim())}`);
    });
    const form = make("form", { className: "find wide", onsubmit: (event) => event.preventDefault() }, input);
    form.setAttribute("role", "search");
    place.replaceChildren(form, status, list);
    place.addEventListener("keydown", walk);
    show();
  }

  // The dialog, on every page.
  let dialog, field;
  bookSearch.open = (query = "") => {
    if (!dialog) {
      const { input, status, list, show, walk } = panel(10);
      const close = make("button", { type: "button", className: "close", textContent: "Esc" });
      close.setAttribute("aria-label", speak("关闭搜索", "Close the search"));
      dialog = make("dialog", { className: "search" },
        make("div", { className: "find" }, input, close), status, list,
        make("p", { className: "keys" }, speak("↑ ↓ 选择，Enter 打开，Esc 关闭", "↑ ↓ to choose, Enter to open, Esc to close")));
      dialog.setAttribute("aria-label", speak("全书搜索", "Search the book"));
      close.addEventListener("click", () => dialog.close());
      dialog.addEventListener("keydown", walk);
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog || event.target.closest("a")) dialog.close();
      });
      document.body.append(dialog);
      field = { input, show };
    }
    dialog.showModal();
    if (query) field.input.value = query;
    field.input.select();
    field.show();
    if (edition !== "both") load(edition).catch(() => {});  // while the reader types
  };
})();

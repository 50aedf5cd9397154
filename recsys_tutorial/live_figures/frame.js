// What all live figures share: numbers handed over, handles, words in two languages,
// and the few kinds of drawing. A figure is one call of
//
//   recsysLive.figure("name", { question, predict, source, handles, states,
//                               compute(data, state), draw(answer, state, kit, data),
//                               say(answer, state, kit, data),
//                               adjust(state, moved, data) })
//
// `compute` is pure arithmetic; `draw` gives HTML made of the pieces in `kit`; `say` is
// the answer in one sentence; `adjust`, where there is one, says what another handle
// becomes when one is moved. Every text is {zh, en}. No module and no request: a page
// opened from a disk runs this, too.
"use strict";

(() => {
  if (window.recsysLive) return;

  // Numbers: nested arrays as PyTorch prints them, and the arithmetic on them.
  const readers = {
    u1: (view, i) => view.getUint8(i),
    i2: (view, i) => view.getInt16(2 * i, true),
    i4: (view, i) => view.getInt32(4 * i, true),
    f4: (view, i) => view.getFloat32(4 * i, true),
    f2: (view, i) => {
      const bits = view.getUint16(2 * i, true);
      const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, rest = bits & 1023;
      return exponent ? sign * 2 ** (exponent - 15) * (1 + rest / 1024) : sign * rest * 2 ** -24;
    },
  };
  const unpack = ({ type, shape, data }) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const size = shape.reduce((a, b) => a * b, 1);
    let values = Array.from({ length: size }, (_, i) => readers[type](view, i));
    for (const n of shape.slice(1).reverse()) {
      values = Array.from({ length: values.length / n }, (_, i) => values.slice(i * n, (i + 1) * n));
    }
    return shape.length ? values : values[0];
  };
  const math = {
    range: (n) => Array.from({ length: n }, (_, i) => i),
    sum: (x) => x.reduce((a, b) => a + b, 0),
    dot: (x, y) => {  // the innermost loop of all: no function in it
      let total = 0;
      for (let i = 0; i < x.length; i += 1) total += x[i] * y[i];
      return total;
    },
    norm: (x) => Math.sqrt(math.dot(x, x)),
    cosine: (x, y) => math.dot(x, y) / (math.norm(x) * math.norm(y) || 1),  // 0 with a zero vector
    mean: (x) => math.sum(x) / x.length,
    times: (W, x) => W.map((row) => math.dot(row, x)),  // (out, in), (in) -> (out)
    plus: (...all) => all[0].map((_, i) => math.sum(all.map((x) => x[i]))),
    scale: (x, by) => x.map((value) => value * by),
    linear: (W, b, x) => math.plus(math.times(W, x), b),
    transpose: (W) => W[0].map((_, j) => W.map((row) => row[j])),
    relu: (x) => x.map((value) => Math.max(value, 0)),
    prelu: (x, alpha) => x.map((value, i) => (value > 0 ? value : alpha[i] * value)),
    sigmoid: (value) => 1 / (1 + Math.exp(-value)),
    softmax: (x) => {
      const top = Math.max(...x), powers = x.map((value) => Math.exp(value - top));
      const total = math.sum(powers);
      return powers.map((value) => value / total);
    },
    // a step of PyTorch's GRU, whose z is the share that is kept
    gru: ({ weight_ih, bias_ih, weight_hh, bias_hh }, x, h) => {
      const into = math.linear(weight_ih, bias_ih, x), from = math.linear(weight_hh, bias_hh, h), D = h.length;
      return h.map((old, d) => {
        const [reset, kept] = [0, D].map((at) => math.sigmoid(into[at + d] + from[at + d]));
        return (1 - kept) * Math.tanh(into[2 * D + d] + reset * from[2 * D + d]) + kept * old;
      });
    },
    // positions, the largest value first; of equal ones the earlier
    order: (x) => math.range(x.length).sort((a, b) => x[b] - x[a] || a - b),
  };

  // Words, in the language of the page; in a notebook, in both.
  const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const edition = () => document.documentElement.dataset.edition || "both";
  const plain = (text) => {
    if (typeof text !== "object") return String(text);
    return text[edition()] ?? (text.zh === text.en ? text.zh : `${text.zh} · ${text.en}`);
  };
  const words = (text) => {
    if (typeof text !== "object" || text.zh === text.en) return escaped(plain(text));
    if (edition() !== "both") return escaped(text[edition()]);
    return `<span lang="zh-CN">${escaped(text.zh)}</span> <span lang="en">${escaped(text.en)}</span>`;
  };
  const number = (value, digits = 2) => new Intl.NumberFormat(edition() === "en" ? "en" : "zh-CN", {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value);
  const percent = (value, digits = 0) => `${number(100 * value, digits)}%`;

  // Drawing: each piece gives HTML. A colour is a name of the book's palette.
  const ink = (colour) => `var(--live-${colour})`;
  const clip = (value) => Math.min(Math.max(value, 0), 1);
  const kit = {
    math, words, plain, number, percent, escaped, ink,
    // Rows of {label, value, colour, strong, note} as bars from zero, on one scale.
    bars(rows, { low = 0, high = 1, digits = 2, colour = "blue", title } = {}) {
      const zero = clip((0 - low) / (high - low));
      const bar = (row) => {
        const end = clip((row.value - low) / (high - low));
        const from = Math.min(zero, end), wide = Math.abs(end - zero);
        const value = row.note === undefined ? number(row.value, digits) : words(row.note);
        return `<li${row.strong ? ' class="strong"' : ""}><span class="name">${words(row.label)}</span>`
          + `<span class="track"><i style="left:${100 * from}%;width:${100 * wide}%;background:${ink(row.colour || colour)}"></i></span>`
          + `<span class="value">${value}</span></li>`;
      };
      const head = title ? `<p class="title">${words(title)}</p>` : "";
      return `<div>${head}<ol class="bars">${rows.map(bar).join("")}</ol></div>`;
    },
    // A table of numbers as colours; from zero down it takes another colour.
    heat({ rows, columns, values, high = 1, digits = 2, colour = "blue", below = "rust", title, corner = "" }) {
      const cell = (value) => {
        const deep = 60 * clip(Math.abs(value) / high);
        const shade = `color-mix(in srgb, ${ink(value < 0 ? below : colour)} ${deep.toFixed(1)}%, transparent)`;
        return `<td style="background:${shade}">${number(value, digits)}</td>`;
      };
      const head = columns.map((name) => `<th scope="col">${words(name)}</th>`).join("");
      const body = values.map((row, i) => `<tr><th scope="row">${words(rows[i])}</th>${row.map(cell).join("")}</tr>`);
      const caption = title ? `<caption>${words(title)}</caption>` : "";
      return `<table class="heat">${caption}<thead><tr><td>${words(corner)}</td>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`;
    },
    // Names in their order; {label, strong, note} each.
    list(rows, { title } = {}) {
      const item = (row) => `<li${row.strong ? ' class="strong"' : ""}>${words(row.label)}${row.note === undefined ? "" : ` <small>${words(row.note)}</small>`}</li>`;
      const head = title ? `<p class="title">${words(title)}</p>` : "";
      return `<div>${head}<ol class="list">${rows.map(item).join("")}</ol></div>`;
    },
    // Pieces beside each other; below each other where there is no room.
    beside: (...pieces) => `<div class="beside">${pieces.join("")}</div>`,
    text: (said) => `<p class="note">${words(said)}</p>`,
    // Axes with marks on them. x and y: {low, high, label, ticks}; a mark is one of
    // {line: [[x, y], ...]}, {dots: [...]}, {rule: x}, {area: [...]} or {words, at: [x, y]},
    // with a colour, `size` of dots, `hollow`, `dashed`, and a `name` for the legend.
    plot({ x, y, marks, height = 240, label, wide = kit.width }) {
      const left = 46, right = 12, top = 10, bottom = x.label ? 44 : 26;
      const at = ([a, b]) => [
        left + (a - x.low) / (x.high - x.low) * (wide - left - right),
        height - bottom - (b - y.low) / (y.high - y.low) * (height - top - bottom),
      ].map((value) => +value.toFixed(1));
      const key = ({ colour = "ink", hollow, dashed }) => (hollow || dashed
        ? `border:2px ${dashed ? "dashed" : "solid"} ${ink(colour)};border-radius:${hollow ? "50%" : 0}`
        : `background:${ink(colour)}`);
      const steps = (axis) => axis.ticks || [0, 0.25, 0.5, 0.75, 1].map((t) => axis.low + t * (axis.high - axis.low));
      const named = (axis, value) => (axis.text ? plain(axis.text(value)) : number(value, axis.digits ?? 2));
      const parts = [];
      for (const value of steps(y)) {
        const [, v] = at([x.low, value]);
        parts.push(`<path class="grid" d="M${left} ${v}H${wide - right}"/><text x="${left - 6}" y="${v + 4}" text-anchor="end">${escaped(named(y, value))}</text>`);
      }
      for (const value of steps(x)) {
        const [u] = at([value, y.low]);
        parts.push(`<text x="${u}" y="${height - bottom + 17}" text-anchor="middle">${escaped(named(x, value))}</text>`);
      }
      if (x.label) parts.push(`<text x="${(left + wide - right) / 2}" y="${height - 6}" text-anchor="middle">${escaped(plain(x.label))}</text>`);
      for (const mark of marks) {
        const shade = ink(mark.colour || "ink"), dash = mark.dashed ? ' stroke-dasharray="5 4"' : "";
        const path = (points) => points.map((p, i) => `${i ? "L" : "M"}${at(p).join(" ")}`).join("");
        if (mark.line) parts.push(`<path d="${path(mark.line)}" fill="none" stroke="${shade}" stroke-width="2"${dash}/>`);
        if (mark.area) parts.push(`<path d="${path(mark.area)}Z" fill="${shade}" opacity="0.2"/>`);
        if (mark.rule !== undefined) parts.push(`<path d="${path([[mark.rule, y.low], [mark.rule, y.high]])}" stroke="${shade}" stroke-width="1.5"${dash}/>`);
        for (const dot of mark.dots || []) {
          const [u, v] = at(dot);
          parts.push(mark.hollow
            ? `<circle cx="${u}" cy="${v}" r="${mark.size || 4}" fill="none" stroke="${shade}" stroke-width="1.5"/>`
            : `<circle cx="${u}" cy="${v}" r="${mark.size || 4}" fill="${shade}"/>`);
        }
        if (mark.words) {
          const [u, v] = at(mark.at);
          parts.push(`<text x="${u}" y="${v}" text-anchor="${mark.anchor || "start"}" style="fill:${shade}">${escaped(plain(mark.words))}</text>`);
        }
      }
      const names = marks.filter((mark) => mark.name).map((mark) => `<li><i style="${key(mark)}"></i>${words(mark.name)}</li>`);
      const head = y.label ? `<p class="title">${words(y.label)}</p>` : "";
      const legend = names.length ? `<ul class="legend">${names.join("")}</ul>` : "";
      return `<div>${head}${legend}<svg viewBox="0 0 ${wide} ${height}" width="${wide}" height="${height}" role="img" aria-label="${escaped(plain(label))}">${parts.join("")}</svg></div>`;
    },
    width: 600,
  };

  // A figure: its spec and its data together, {compute(state), render(el, state)}.
  const specs = {}, data = {}, figures = {};
  const join = (name) => {
    const spec = specs[name], own = data[name];
    if (!spec || !own) return;
    const handles = typeof spec.handles === "function" ? spec.handles(own) : spec.handles;
    const states = typeof spec.states === "function" ? spec.states(own) : spec.states;
    figures[name] = {
      states,
      compute: (state) => spec.compute(own, state),
      render: (el, state = states[0].state) => { render(el, name, spec, own, handles, states, state); },
    };
  };
  let count = 0;

  const SAY = {
    states: { zh: "从这里开始", en: "Start from" },
    reset: { zh: "复位", en: "Reset" },
  };
  const predicted = ({ zh, en }) => ({ zh: `先猜再动手：${zh}`, en: `Before you move it: ${en}` });

  const control = (handle, id, state) => {
    const value = state[handle.name];
    const label = `<label for="${id}">${words(handle.label)}</label>`;
    if (handle.kind === "range") {
      return `${label}<input type="range" id="${id}" name="${handle.name}" min="${handle.min}" max="${handle.max}" step="${handle.step || 1}" value="${value}"><span class="told" aria-hidden="true"></span>`;
    }
    if (handle.kind === "choice") {
      const options = handle.options.map((text, i) => `<option value="${i}"${i === value ? " selected" : ""}>${escaped(plain(text))}</option>`);
      return `${label}<select id="${id}" name="${handle.name}">${options.join("")}</select>`;
    }
    if (handle.kind === "switch") {
      return `<label class="switch"><input type="checkbox" id="${id}" name="${handle.name}"${value ? " checked" : ""}> ${words(handle.label)}</label>`;
    }
    const boxes = handle.options.map((text, i) => `<label class="switch"><input type="checkbox" name="${handle.name}" value="${i}"${value.includes(i) ? " checked" : ""}> ${words(text)}</label>`);
    return `<fieldset id="${id}"><legend>${words(handle.label)}</legend>${boxes.join("")}</fieldset>`;
  };

  const render = (el, name, spec, own, handles, states, start) => {
    const id = `live-${name}-${count += 1}`;
    const button = (text, i) => `<button type="button" data-state="${i}">${words(text)}</button>`;
    el.innerHTML = `<p class="question" id="${id}">${words(spec.question)}</p>`
      + `<p class="predict">${words(predicted(spec.predict))}</p>`
      + `<div class="states" role="group" aria-label="${escaped(plain(SAY.states))}">${states.map((s, i) => button(s.label, i)).join("")}<button type="button" class="reset">${words(SAY.reset)}</button></div>`
      + `<div class="handles">${handles.map((h, i) => `<div class="handle ${h.kind}">${control(h, `${id}-${i}`, start)}</div>`).join("")}</div>`
      + '<div class="answer"></div><p class="said"></p><p class="heard" role="status"></p>'
      + `<p class="source">${words(spec.source)}</p>`;
    el.setAttribute("role", "group");
    el.setAttribute("aria-labelledby", id);
    const part = (selector) => el.querySelector(selector);
    let state = { ...start }, waiting, quiet = true;

    const draw = () => {
      const answer = spec.compute(own, state);
      kit.width = Math.max(260, Math.min(part(".answer").clientWidth || 600, 760));
      part(".answer").innerHTML = spec.draw(answer, state, kit, own);
      const said = spec.say(answer, state, kit, own);
      part(".said").innerHTML = words(said);
      clearTimeout(waiting);  // a reader who listens hears the last one alone
      if (!quiet) waiting = setTimeout(() => { part(".heard").textContent = plain(said); }, 400);
      quiet = false;
      el.querySelectorAll("[data-state]").forEach((b, i) => {
        b.setAttribute("aria-pressed", String(Object.entries(states[i].state).every(([k, v]) => String(v) === String(state[k]))));
      });
    };
    const show = () => {  // what the handles say of the state
      handles.forEach((handle, i) => {
        const value = state[handle.name];
        if (handle.kind === "several") {
          part(`#${id}-${i}`).querySelectorAll("input").forEach((box, k) => { box.checked = value.includes(k); });
          return;
        }
        const input = part(`#${id}-${i}`);
        if (handle.kind === "switch") input.checked = Boolean(value);
        else input.value = value;
        if (handle.kind === "range") {
          const told = plain(handle.text ? handle.text(value, own) : value);
          input.nextElementSibling.textContent = told;
          input.setAttribute("aria-valuetext", told);
        }
      });
    };
    const move = (next) => {
      state = { ...state, ...next };
      show();
      draw();
    };
    el.addEventListener("input", (event) => {
      const handle = handles.find((h) => h.name === event.target.name);
      if (!handle) return;
      const value = handle.kind === "switch" ? event.target.checked
        : handle.kind === "several" ? [...el.querySelectorAll(`[name="${handle.name}"]`)].flatMap((box, k) => (box.checked ? [k] : []))
          : Number(event.target.value);
      const next = { ...state, [handle.name]: value };
      move(spec.adjust ? spec.adjust(next, handle.name, own) : next);
    });
    el.addEventListener("click", (event) => {
      const pressed = event.target.closest("button");
      if (!pressed) return;
      move(pressed.dataset.state === undefined ? states[0].state : states[pressed.dataset.state].state);
    });
    let wide;
    new ResizeObserver(() => {
      if (wide !== undefined && wide !== el.clientWidth) { quiet = true; draw(); }
      wide = el.clientWidth;
    }).observe(el);
    show();
    draw();
    el.dataset.ready = name;
  };

  // In a notebook, JupyterLab would take the arrow keys for its own.
  if (!document.documentElement.dataset.edition) {
    window.addEventListener("keydown", (event) => {
      if (event.target.closest?.(".live")) event.stopPropagation();
    }, true);
  }

  window.recsysLive = {
    math, kit, figures,
    figure(name, spec) { specs[name] = spec; join(name); },
    hand({ name, numbers, words: own }) {
      data[name] = { words: own };
      for (const [key, packed] of Object.entries(numbers)) data[name][key] = unpack(packed);
      join(name);
    },
    start: (el, name) => figures[name].render(el),
  };
})();

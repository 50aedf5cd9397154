// TIGER: a film's word, letter by letter, and who shares its beginning.
"use strict";

recsysLive.figure("tiger", (() => {
  const { math } = recsysLive;
  const length = (x) => Math.sqrt(math.dot(x, x));
  const minus = (x, y) => x.map((value, i) => value - y[i]);

  const spell = (data, film) => {
    let rest = data.vectors[film];
    const whole = length(rest), codes = [], distances = [1];
    for (const book of data.books) {
      const far = book.map((word) => length(minus(rest, word)));
      const code = math.order(far.map((d) => -d))[0];
      rest = minus(rest, book[code]);
      codes.push(code);
      distances.push(length(rest) / whole);
    }
    return { codes, distances };
  };
  const made = new WeakMap();  // all words, worked out once
  const words = (data) => made.get(data)
    || made.set(data, math.range(data.vectors.length).map((film) => spell(data, film))).get(data);
  const compute = (data, { film, letters }) => {
    const all = words(data).map(({ codes }, i) => [...codes, data.last[i]]);
    const same = all.map((word) => (word.slice(0, letters).every((c, t) => c === all[film][t]) ? 1 : 0));
    return { ...words(data)[film], word: all[film], same };
  };
  const shared = (data, film, letters) => (letters ? data.counts[film][letters - 1] : data.words.films);

  return {
    question: { zh: "读到第几个字母，才认得出这部影片？", en: "How many letters does it take to know the film?" },
    predict: { zh: "从一个字母读到三个，同架的影片会少多少？向量还剩多少没说出来？", en: "from one letter to three, how many films drop out, and how much of the vector is still untold?" },
    source: {
      zh: "词由本章训练好的码本在网页里现拼：每一级取离残差最近的码字；片名只列看的人最多的一些。",
      en: "The page spells the words itself from the codebooks that the chapter has trained, at each level the codeword nearest to the residual; only the most watched titles are listed.",
    },
    handles: (data) => [
      { name: "film", kind: "choice", options: data.words.titles, label: { zh: "影片", en: "Film" } },
      { name: "letters", kind: "range", min: 0, max: 4, label: { zh: "读几个字母", en: "Letters read" } },
    ],
    states: [
      { label: { zh: "首字母", en: "The first letter" }, state: { film: 0, letters: 1 } },
      { label: { zh: "三个字母", en: "Three letters" }, state: { film: 0, letters: 3 } },
      { label: { zh: "整个词", en: "The whole word" }, state: { film: 0, letters: 4 } },
    ],
    compute,
    draw: ({ distances, word, same }, { film, letters }, kit, data) => {
      const bars = distances.map((value, n) => ({
        label: n ? { zh: `读了 ${n} 个：${word.slice(0, n).join(" ")}`, en: `${n} read: ${word.slice(0, n).join(" ")}` } : { zh: "一个也没读", en: "none read" },
        value, note: kit.percent(value), strong: n === Math.min(letters, 3), colour: n === Math.min(letters, 3) ? "rust" : "grey",
      }));
      const others = math.range(same.length).filter((i) => same[i] && i !== film);
      const rows = others.slice(0, 12).map((i) => ({ label: data.words.titles[i] }));
      const title = { zh: `开头相同的：全片库 ${shared(data, film, letters)} 部，列出的影片里除它之外 ${others.length} 部`, en: `The same beginning: ${shared(data, film, letters)} of the catalogue, and of the films listed here ${others.length} besides itself` };
      return kit.beside(
        kit.bars(bars, { high: Math.max(...distances), title: { zh: "向量还有多少没说出来", en: "How much of the vector is untold" } }),
        kit.list(rows, { title }),
      );
    },
    say: ({ distances, word, same }, { film, letters }, kit, data) => {
      const n = shared(data, film, letters), title = data.words.titles[film];
      const left = kit.percent(distances[Math.min(letters, 3)]);
      const told = word.slice(0, letters).join(" "), here = math.sum(same) - 1;
      return {
        zh: `${title}：读了 ${letters} 个字母${letters ? `（${told}）` : ""}，全片库有 ${n} 部这样开头，列出的影片里另有 ${here} 部；向量还剩 ${left}。`,
        en: `${title}: with ${letters} letter${letters === 1 ? "" : "s"} read${letters ? ` (${told})` : ""}, ${n} of the catalogue begin so, and ${here} others of those listed; ${left} of the vector is left.`,
      };
    },
  };
})());

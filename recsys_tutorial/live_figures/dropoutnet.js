// DropoutNet on films: a new film gets its first viewers; where does its vector lie?
"use strict";

recsysLive.figure("dropoutnet", (() => {
  const { math } = recsysLive;

  const cosine = (x, y) => {
    const length = Math.sqrt(math.dot(x, x) * math.dot(y, y));
    return length ? math.dot(x, y) / length : 0;  // a zero vector has no direction
  };

  // Column by column to mean 0 and deviation 1; the zero of an unknown film stays zero.
  const standardised = (data, v) => v.map((value, r) => {
    const scaled = (value - data.mean[r]) / data.deviation[r];
    return v.some(Boolean) ? Math.min(Math.max(scaled, -5), 5) : 0;
  });

  // A tower: linear, batch normalisation by the moving averages, tanh, linear.
  const tower = (data, net, latent, content) => {
    const h = math.linear(data.hidden[net], data.hidden_bias[net], [...standardised(data, latent), ...content]);
    const [weight, bias, mean, variance] = data.normal[net];
    const units = h.map((value, i) => Math.tanh((value - mean[i]) / Math.sqrt(variance[i] + 1e-5) * weight[i] + bias[i]));
    return math.linear(data.output[net], data.output_bias[net], units);
  };

  // For the latent model, then each net: cosines with its own place for all viewers.
  const compute = (data, { film, known }) => {
    const steps = data.latent[film], nets = [0, 1];
    const ways = nets.map((net) => steps.map((v) => tower(data, net, v, data.content[film])));
    const curves = [steps, ...ways].map((way) => way.map((v) => cosine(v, way.at(-1))));
    const near = nets.map((net) => data.places[net].map((old) => cosine(old, ways[net][known])));
    return { curves, near };
  };

  const NETS = [
    { zh: "DropoutNet：训练时常丢隐向量", en: "DropoutNet: vectors often dropped in training" },
    { zh: "同样的网络，从不丢", en: "the same net, never dropped" },
  ];
  const viewers = (data, k) => {
    const n = data.words.viewers[k];
    return { zh: n === null ? "全部观众" : n ? `${n} 位观众` : "还没有观众", en: n === null ? "all viewers" : n ? `${n} viewer${n > 1 ? "s" : ""}` : "no viewer yet" };
  };

  return {
    question: { zh: "一部新片，几乎没人看过，它的向量该放在哪里？", en: "A new film that hardly anybody has watched: where should its vector lie?" },
    predict: { zh: "来了第一位观众，蓝线离终点会更近，还是更远？", en: "when the very first viewer arrives, does the blue line come nearer to the end, or move away?" },
    source: {
      zh: "两座塔由笔记本训练，在网页里现算。隐向量由同一个隐向量模型从这几位观众解出；邻居只在最热门的六十部老片里找。",
      en: "Computed in this page by two towers that the notebook has trained. The latent vector is what the same latent model solves for from these viewers; neighbours are sought among the sixty most popular old films.",
    },
    handles: (data) => [
      { name: "known", kind: "range", min: 0, max: data.words.viewers.length - 1, label: { zh: "已知的观众", en: "Viewers known" }, text: (k) => viewers(data, k) },
      { name: "film", kind: "choice", options: data.words.films, label: { zh: "新片", en: "New film" } },
    ],
    states: (data) => [
      { label: { zh: "还没有观众", en: "no viewer yet" }, state: { film: data.words.opening, known: 0 } },
      { label: { zh: "第一位观众", en: "the first viewer" }, state: { film: data.words.opening, known: 1 } },
      { label: { zh: "换一部：Toy Story", en: "another film: Toy Story" }, state: { film: data.words.other, known: 0 } },
    ],
    compute,
    draw: ({ curves, near }, { known, film }, kit, data) => {
      const line = (c) => curves[c].map((value, k) => [k, value]);
      const last = data.words.viewers.length - 1;
      const plot = kit.plot({
        x: { low: 0, high: last + 0.35, ticks: math.range(last + 1), label: { zh: "已知的观众", en: "viewers known" }, text: (k) => { const n = data.words.viewers[k]; return n === null ? { zh: "全部", en: "all" } : n; } },
        y: { low: -0.25, high: 1, ticks: [0, 0.5, 1], digits: 1, label: { zh: `${data.words.films[film]}：与自己的终点（观众全部已知）的余弦`, en: `${data.words.films[film]}: cosine with its own final place, all viewers known` } },
        label: { zh: "三条线：隐向量模型、DropoutNet、从不丢的网络", en: "Three lines: latent model, DropoutNet, the net that never dropped" },
        marks: [
          { rule: known, colour: "grey", dashed: true },
          { line: line(0), colour: "grey", name: { zh: "隐向量模型", en: "latent model" } },
          { line: line(2), colour: "rust", name: NETS[1] },
          { line: line(1), colour: "blue", name: NETS[0] },
          ...[[0, "grey"], [2, "rust"], [1, "blue"]].map(([c, colour]) => ({ dots: [[known, curves[c][known]]], colour, size: 5 })),
        ],
      });
      const lists = NETS.map((title, net) => kit.bars(
        math.order(near[net]).slice(0, 5).map((i) => ({ label: data.words.titles[i], value: near[net][i] })),
        { title: { zh: `邻居，${title.zh}`, en: `Neighbours, ${title.en}` }, colour: net ? "rust" : "blue" },
      ));
      return plot + kit.beside(...lists);
    },
    say: ({ curves, near }, { known }, kit, data) => {
      const best = math.order(near[0]).slice(0, 3).map((i) => data.words.titles[i]), told = viewers(data, known);
      const [latent, net, never] = curves.map((way) => kit.number(way[known]));
      return {
        zh: `${told.zh}：与终点的余弦，隐向量模型 ${latent}，DropoutNet ${net}，从不丢的 ${never}；DropoutNet 的邻居是 ${best.join("、")}。`,
        en: `${told.en[0].toUpperCase()}${told.en.slice(1)}: cosine with the final place ${latent} for the latent model, ${net} for DropoutNet, ${never} if never dropped. DropoutNet's neighbours: ${best.join("; ")}.`,
      };
    },
  };
})());

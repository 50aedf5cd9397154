// DropoutNet on films: a new film gets its first viewers; where does its vector lie?
"use strict";

recsysLive.figure("dropoutnet", (() => {
  const { math } = recsysLive;

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
    const curves = [steps, ...ways].map((way) => way.map((v) => math.cosine(v, way.at(-1))));
    const near = nets.map((net) => data.places[net].map((old) => math.cosine(old, ways[net][known])));
    return { curves, near };
  };

  const NETS = [
    { zh: "DropoutNet：内容 + 隐向量，训练时常丢隐向量", en: "DropoutNet: content + vector, the vector often dropped in training" },
    { zh: "内容 + 隐向量，从不丢隐向量", en: "content + vector, never dropped" },
    { zh: "只靠隐向量", en: "viewers' vector alone" },
  ];
  const viewers = (data, k) => {
    const n = data.words.viewers[k];
    return { zh: n === null ? "全部观众" : n ? `${n} 位观众` : "还没有观众", en: n === null ? "all viewers" : n ? `${n} viewer${n > 1 ? "s" : ""}` : "no viewer yet" };
  };

  return {
    question: { zh: "没有观众时，网络只能看影片的内容（类型、年代）。来了第一位观众，DropoutNet（蓝线）离最后的位置更近，还是更远？", en: "With no viewers, a net has only the film's content (genres, period) to go by. When the first viewer arrives, does DropoutNet (blue) come nearer to where it will end, or move away?" },
    predict: { zh: "蓝线会升还是会降？从不丢隐向量的网络（红线）呢？", en: "will the blue line rise or fall? And the net that never dropped the vector (red)?" },
    source: {
      zh: "两座塔由笔记本训练，在网页里现算。隐向量由同一个隐向量模型从这几位观众解出；最近的老片只在最热门的六十部里找。",
      en: "Computed in this page by two towers that the notebook has trained. The viewers' vector is the latent vector that the same latent model solves for from these viewers; nearest films are sought among the sixty most popular old ones.",
    },
    handles: (data) => [
      { name: "known", kind: "range", min: 0, max: data.words.viewers.length - 1, label: { zh: "已知的观众", en: "Viewers known" }, text: (k) => viewers(data, k) },
      { name: "film", kind: "choice", options: data.words.films, label: { zh: "新片", en: "New film" } },
    ],
    states: (data) => [
      { label: { zh: "还没有观众", en: "no viewer yet" }, state: { film: data.words.opening, known: 0 } },
      { label: { zh: "第一位观众", en: "the first viewer" }, state: { film: data.words.opening, known: 1 } },
      { label: { zh: "反例：Pulp Fiction", en: "where it fails: Pulp Fiction" }, state: { film: data.words.films.indexOf("Pulp Fiction"), known: 0 } },
    ],
    compute,
    draw: ({ curves, near }, { known, film }, kit, data) => {
      const line = (c) => curves[c].slice(0, known + 1).map((value, k) => [k, value]);
      const last = data.words.viewers.length - 1;
      const plot = kit.plot({
        x: { low: 0, high: last + 0.35, ticks: math.range(last + 1), label: { zh: "已知的观众", en: "viewers known" }, text: (k) => { const n = data.words.viewers[k]; return n === null ? { zh: "全部", en: "all" } : n; } },
        y: { low: -0.2, high: 1, ticks: [-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1], digits: 1, label: { zh: `${data.words.films[film]}：与自己最后的位置（观众全部已知）的余弦`, en: `${data.words.films[film]}: cosine with its own final place (all viewers known)` } },
        label: { zh: "三条线，画到已知的观众为止", en: "Three lines, up to the viewers known" },
        marks: [
          { rule: known, colour: "grey", dashed: true },
          { line: line(0), colour: "grey", name: NETS[2] },
          { line: line(2), colour: "rust", name: NETS[1] },
          { line: line(1), colour: "blue", name: NETS[0] },
          ...[[0, "grey"], [2, "rust"], [1, "blue"]].map(([c, colour]) => ({ dots: [[known, curves[c][known]]], colour, size: 5 })),
        ],
      });
      const lists = [["DropoutNet", "DropoutNet"], ["从不丢隐向量", "never dropped"]].map(([zh, en], net) => kit.bars(
        math.order(near[net]).slice(0, 5).map((i) => ({ label: data.words.titles[i], value: near[net][i] })),
        { title: { zh: `最近的老片（余弦），${zh}`, en: `Nearest old films (cosine), ${en}` }, colour: net ? "rust" : "blue" },
      ));
      return plot + kit.beside(...lists);
    },
    say: ({ curves, near }, { film, known }, kit, data) => {
      const told = viewers(data, known), last = data.words.viewers.length - 1, [, blue, red] = curves.map((way) => way[known]);
      const best = (cosines, by) => math.order(cosines).slice(0, 3).map((i) => data.words.titles[i]).join(by), end = compute(data, { film, known: last }).near[0];
      const [latent, net, never] = curves.map((way) => kit.number(way[known])), [zh, en] = red > blue + 0.005 ? ["（这里它比 DropoutNet 更近）", " (here the undropped net is nearer)"] : ["", ""];
      return {
        zh: `${told.zh}：与最后位置的余弦，只靠隐向量 ${latent}，DropoutNet ${net}，从不丢隐向量 ${never}${zh}。DropoutNet 最近的老片是 ${best(near[0], "、")}${known < last ? `；观众全部已知时是 ${best(end, "、")}` : ""}。`,
        en: `${told.en[0].toUpperCase()}${told.en.slice(1)}: cosine with the final place ${latent} by the viewers' vector alone, ${net} for DropoutNet, ${never} for the net never dropped${en}. DropoutNet's nearest old films: ${best(near[0], "; ")}${known < last ? `; with all viewers: ${best(end, "; ")}` : ""}.`,
      };
    },
  };
})());

// ETA: bits of a code, and which twenty films of a long history are found with them.
"use strict";

recsysLive.figure("eta", (() => {
  const { math } = recsysLive;
  const BITS = [1, 2, 4, 8, 16, 32, 64, 128];
  const K = 20;

  const code = (planes, x, bits) => planes.slice(0, bits).map((plane) => math.dot(plane, x) > 0);
  const made = new Map();  // the codes of the history, worked out once for each length
  const codes = (data, bits) => made.get(bits)
    || made.set(bits, data.history.map((step) => code(data.planes, step, bits))).get(bits);

  const search = (data, candidate, bits) => {
    const asked = data.candidates[candidate], own = code(data.planes, asked, bits);
    const distances = codes(data, bits).map((step) => step.filter((bit, i) => bit !== own[i]).length);
    const cosines = data.history.map((step) => math.cosine(step, asked));
    const later = math.range(distances.length).map((i) => i / distances.length);
    const found = math.order(distances.map((d, i) => later[i] - d)).slice(0, K);
    const exact = math.order(cosines).slice(0, K);
    return { distances, cosines, found, exact, recall: found.filter((i) => exact.includes(i)).length / K };
  };
  const means = new Map();
  const mean = (data, bits) => means.get(bits)
    || means.set(bits, math.sum(data.candidates.map((_, c) => search(data, c, bits).recall)) / data.candidates.length).get(bits);
  const compute = (data, { candidate, bits }) => ({
    ...search(data, candidate, BITS[bits]), mean: mean(data, BITS[bits]),
  });

  return {
    question: { zh: "要多少个比特，才找得到真正最近的二十部？", en: "How many bits does it take to find the twenty that are really nearest?" },
    predict: { zh: "只留 4 个比特，二十部里还能找对几部？128 个呢？", en: "with 4 bits, how many of the twenty are still right? And with 128?" },
    source: {
      zh: "由本章训练好的嵌入和同一批随机平面在网页里现算；前 64 个平面就是模型用的那些，其余是另抽的。",
      en: "Computed in this page from the embeddings that the chapter has trained and its random planes; the first 64 are the model's, the others were drawn in addition.",
    },
    handles: (data) => [
      { name: "bits", kind: "range", min: 0, max: BITS.length - 1, label: { zh: "编码的比特数", en: "Bits of a code" }, text: (v) => ({ zh: `${BITS[v]} 比特`, en: `${BITS[v]} bit${v ? "s" : ""}` }) },
      { name: "candidate", kind: "choice", options: data.words.candidates, label: { zh: "候选", en: "Candidate" } },
    ],
    states: [
      { label: { zh: "64 比特，模型用的", en: "64 bits, the model's" }, state: { bits: 6, candidate: 0 } },
      { label: { zh: "4 比特", en: "4 bits" }, state: { bits: 2, candidate: 0 } },
      { label: { zh: "128 比特", en: "128 bits" }, state: { bits: 7, candidate: 0 } },
    ],
    compute,
    draw: ({ distances, cosines, found, exact, recall }, { bits }, kit) => {
      const m = BITS[bits], point = (i) => [cosines[i], distances[i] / m];
      const others = math.range(distances.length).filter((i) => !found.includes(i));
      const law = math.range(101).map((i) => [Math.cos(Math.PI * i / 100), i / 100]);
      return kit.plot({
        x: { low: -1, high: 1, label: { zh: "嵌入与候选的余弦", en: "Cosine of the embedding with the candidate's" }, ticks: [-1, -0.5, 0, 0.5, 1], digits: 1 },
        y: { low: 0, high: 1, label: { zh: "与候选的编码不同的比特占几成（汉明距离 ÷ 比特数）", en: "Share of the bits that differ from the candidate's (Hamming distance / bits)" }, ticks: [0, 0.25, 0.5, 0.75, 1] },
        label: { zh: `每个点是一部看过的片子，找到的二十部里 ${Math.round(recall * K)} 部是真正最近的`, en: `A point for each watched film; of the twenty found ${Math.round(recall * K)} are really nearest` },
        marks: [
          { line: law, colour: "grey", name: { zh: "定律：夹角 / π", en: "the law: angle / π" } },
          { dots: others.map(point), colour: "blue", size: 3, name: { zh: "没有找到", en: "not found" } },
          { dots: found.map(point), colour: "rust", size: 4.5, name: { zh: "按编码找到的二十部", en: "the twenty found by codes" } },
          { dots: exact.map(point), colour: "ink", size: 6, hollow: true, name: { zh: "余弦真正最大的二十部", en: "the twenty with the largest cosine" } },
        ],
      });
    },
    say: ({ distances, recall, mean: all }, { bits }, kit, data) => {
      const right = Math.round(recall * K), average = kit.number(all * K, 1), n = data.candidates.length;
      const least = Math.min(...distances), tied = distances.filter((d) => d === least).length;
      const ties = tied > K ? { zh: `有 ${tied} 部并列最近，只好取最近看过的。`, en: ` ${tied} are tied for the nearest, and those watched last are taken.` } : { zh: "", en: "" };
      return {
        zh: `${BITS[bits]} 比特：找到的二十部里，${right} 部是真正最近的；${n} 部候选平均 ${average} 部。${ties.zh}`,
        en: `${BITS[bits]} bit${bits ? "s" : ""}: of the twenty found, ${right} are really among the nearest; ${average} on average over ${n} candidates.${ties.en}`,
      };
    },
  };
})());

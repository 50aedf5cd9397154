// TiCoSeRec: operators at random or by time; how even the gaps are.
"use strict";

recsysLive.figure("ticoserec", (() => {
  const { math } = recsysLive;
  const CROP = 0, MASK = 1, REORDER = 2, SUBSTITUTE = 3, INSERT = 4;
  const OPERATORS = [{ zh: "裁剪", en: "crop" }, { zh: "掩码", en: "mask" }, { zh: "重排", en: "reorder" }, { zh: "替换", en: "substitute" }, { zh: "插入", en: "insert" }];
  const HIDDEN = 0, NEW = -1;

  const variance = (times) => {
    const gaps = times.slice(1).map((t, i) => (t - times[i]) / 60);
    if (gaps.length < 2) return 0;
    const mean = math.sum(gaps) / gaps.length;
    return math.sum(gaps.map((gap) => (gap - mean) ** 2)) / gaps.length;
  };
  const even = ({ items, times }) => variance(times.filter((_, i) => items[i] !== HIDDEN));

  const evenest = (times, count) => {
    const last = times.length - count;
    if (count < 3) return last;
    const found = math.range(last + 1).map((start) => variance(times.slice(start, start + count)));
    return last - math.order(found.reverse().map((v) => -v))[0];
  };
  const before = (times, count, sign) => {
    const gaps = times.slice(1).map((t, i) => sign * (t - times[i])).reverse();
    return math.order(gaps).slice(0, count).map((i) => gaps.length - 1 - i);
  };

  const apply = (data, operator, rate, draw, timed) => {
    const { times } = data, count = Math.floor(rate * times.length / 10 + 1e-9);
    const items = times.map((_, i) => i + 1);
    if (operator === CROP || operator === REORDER) {
      const start = timed ? evenest(times, count) : data.starts[draw][count];
      if (operator === CROP) return { items: items.slice(start, start + count), times: times.slice(start, start + count) };
      const order = (timed ? data.orders : data.shuffles)[draw][count];
      return { items: items.map((item, i) => (i < start || i >= start + count ? item : start + order[i - start] + 1)), times };
    }
    const where = timed ? before(times, count, operator === SUBSTITUTE ? -1 : 1) : data.places[draw].slice(0, count);
    if (operator !== INSERT) return { items: items.map((item, i) => (where.includes(i) ? (operator === MASK ? HIDDEN : NEW) : item)), times };
    const steps = items.map((item, i) => [item, times[i]]);
    where.sort((a, b) => b - a).forEach((i) => {
      const left = times[timed ? i : Math.max(i - 1, 0)], right = times[timed ? i + 1 : i];
      steps.splice(timed ? i + 1 : i, 0, [NEW, left + Math.floor((right - left) / 2)]);
    });
    return { items: steps.map((s) => s[0]), times: steps.map((s) => s[1]) };
  };

  const compute = (data, { operator, rate, draw }) => {
    const random = data.starts.map((_, r) => apply(data, operator, rate, r, false)), timed = apply(data, operator, rate, draw, true);
    return {
      items: random[draw].items, times: random[draw].times, ti_items: timed.items, ti_times: timed.times,
      original: variance(data.times), variances: random.map(even), ti_variance: even(timed),
    };
  };

  return {
    question: { zh: "对比学习要改写历史（增广）：随机改，或看时间改。插入、裁剪、掩码，哪一个看时间反而更不均匀？", en: "Contrastive learning alters histories (augmentation), at random or by time. Insert, crop, mask: which is less even by time than at random?" },
    predict: { zh: "间隔方差越小越均匀。插入时谁小？裁剪、掩码呢？", en: "less variance is more even. Which has less when we insert, crop, mask?" },
    source: {
      zh: "看时间：插在最宽的间隔里；裁出最均匀的一段；掩码遮最宽间隔左边的物品（遮住的不算间隔）。裁剪的比例是留下多少。图 1 是 2 号种子。",
      en: "By time: insert into the widest gaps; crop the most even piece; mask the item left of each of the widest gaps (masked events bound no gap). For crop, the rate is what is kept. Figure 1 has seed 2.",
    },
    handles: [
      { name: "operator", kind: "choice", options: OPERATORS, label: { zh: "算子", en: "Operator" } },
      { name: "rate", kind: "range", min: 3, max: 7, label: { zh: "比例", en: "Rate" }, text: (v) => v / 10 },
      { name: "draw", kind: "range", min: 0, max: 9, label: { zh: "随机种子", en: "Random seed" } },
    ],
    states: [
      { label: { zh: "插入", en: "insert" }, state: { operator: INSERT, rate: 3, draw: 2 } },
      { label: { zh: "裁剪", en: "crop" }, state: { operator: CROP, rate: 6, draw: 2 } },
      { label: { zh: "掩码", en: "mask" }, state: { operator: MASK, rate: 3, draw: 2 } },
    ],
    compute,
    draw: (answer, { operator, draw }, kit, data) => {
      const first = data.times[0], wide = (data.times[data.times.length - 1] - first) / 60;
      const row = (items, times, y) => {
        const at = (test) => items.flatMap((item, i) => (test(item, times[i]) ? [[(times[i] - first) / 60, y]] : []));
        const kept = (item, t) => data.times[item - 1] === t;
        return [
          { line: [[0, y], [wide, y]], colour: "line" }, { dots: at(kept), colour: "blue", size: 5 },
          { dots: at((item, t) => item !== HIDDEN && !kept(item, t)), colour: "rust", size: 5 },
          { dots: at((item) => item === HIDDEN), colour: "grey", hollow: true, size: 5 },
        ];
      };
      const rows = [
        { label: { zh: "原来的", en: "as it was" }, items: data.times.map((_, i) => i + 1), times: data.times, value: answer.original, colour: "grey" },
        { label: { zh: "随机改", en: "at random" }, items: answer.items, times: answer.times, value: answer.variances[draw], colour: "purple" },
        { label: { zh: "看时间改", en: "by time" }, items: answer.ti_items, times: answer.ti_times, value: answer.ti_variance, colour: "green" },
      ];
      const marks = rows.flatMap(({ label, items, times }, j) => [...row(items, times, 2 - j), { words: label, at: [0, 2.28 - j] }]);
      [{ zh: "没动", en: "untouched" }, { zh: "换过、挪过、插入", en: "replaced, moved, inserted" }, OPERATORS[MASK]].forEach((name, i) => { marks[i + 1].name = name; });
      return kit.plot({
        x: { low: -0.02 * wide, high: 1.02 * wide, digits: 0, ticks: math.range(Math.floor(wide / 5) + 1).map((i) => 5 * i), label: { zh: "分钟", en: "minutes" } },
        y: { low: -0.4, high: 2.6, ticks: [] }, marks, height: 220, label: { zh: "历史", en: "histories" },
      }) + kit.bars(rows, { high: [4.5, 50, 3, 3, 3][operator], digits: 1, title: { zh: "间隔方差（平方分钟）", en: "Variance of the gaps (squared minutes)" } });
    },
    say: ({ original, variances, ti_variance }, { operator, draw }, kit) => {
      const [a, b, c] = [original, variances[draw], ti_variance].map((v) => kit.number(v, 1)), name = OPERATORS[operator];
      const less = variances.filter((v) => v < ti_variance - 1e-9).length;
      if (operator === REORDER || operator === SUBSTITUTE) return { zh: `${name.zh}不动时刻，方差不会变。`, en: `To ${name.en} leaves the times alone: the variance stays.` };
      return {
        zh: `${name.zh}：方差原来 ${a}，随机改成 ${b}，看时间改成 ${c}；十个种子${less ? `有 ${less} 个比看时间的更均匀` : "没有一个比看时间的更均匀"}。`,
        en: `${name.en}: a variance of ${a} becomes ${b} at random, ${c} by time; ${less || "none"} of ten seeds ${less > 1 ? "are" : "is"} more even than by time.`,
      };
    },
  };
})());

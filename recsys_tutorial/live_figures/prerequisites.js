// AUC by counting pairs: one row's score is dragged past those of the others.
"use strict";

recsysLive.figure("prerequisites", (() => {
  const { math } = recsysLive;
  const ROW = 2;  // the positive that ties with a negative

  // A positive and a negative: 1 where the positive is above, one half where they tie.
  const point = (above, below) => (above > below ? 1 : above === below ? 0.5 : 0);
  const split = (data, kind) => math.range(data.labels.length).filter((i) => data.labels[i] === kind);
  const pairs = (data, percent) => split(data, 1).map((i) => split(data, 0).map((j) => point(percent[i], percent[j])));
  const share = (points) => math.sum(points.flat()) / points.flat().length;

  const compute = (data, { row, score, tenth }) => {
    const moved = (to) => data.percent.map((value, i) => (i === row ? to : value));
    const percent = moved(score), points = pairs(data, percent);
    const p = percent.map((value) => value / (tenth ? 1000 : 100));
    const loss = math.sum(p.map((value, i) => -Math.log(data.labels[i] ? value : 1 - value))) / p.length;
    const curve = math.range(99).map((i) => share(pairs(data, moved(i + 1))));
    return { points, auc: share(points), loss, mean: math.sum(p) / p.length, curve };
  };

  const value = (percent, tenth, kit) => kit.number(percent / (tenth ? 1000 : 100), tenth ? 3 : 2);
  const sign = (label) => (label ? { zh: "正例", en: "positive" } : { zh: "负例", en: "negative" });
  return {
    question: { zh: "一行的分变了，AUC 什么时候才动？", en: "A row's score changes: when does the AUC move?" },
    predict: { zh: "把第 3 行（正例）从 0.70 慢慢拖到 0.99，AUC 会跳几次？在哪几个分数上跳？", en: "drag row 3, a positive, slowly from 0.70 to 0.99: how often will the AUC jump, and at which scores?" },
    source: { zh: "就是上面手算的五行，六对的得分由网页现数。", en: "The five rows counted by hand above; this page counts the points of the six pairs." },
    handles: (data) => [
      { name: "score", kind: "range", min: 1, max: 99, label: { zh: "选中那一行的分，除以 10 之前", en: "Its score, before any division" }, text: (v) => (v / 100).toFixed(2) },
      { name: "row", kind: "choice", label: { zh: "拖哪一行", en: "Row to drag" },
        options: data.labels.map((y, i) => ({ zh: `第 ${i + 1} 行，${sign(y).zh}`, en: `row ${i + 1}, ${sign(y).en}` })) },
      { name: "tenth", kind: "switch", label: { zh: "所有的分除以 10", en: "divide all scores by 10" } },
    ],
    states: [
      { label: { zh: "手算的五行", en: "the five rows" }, state: { row: ROW, score: 70, tenth: false } },
      { label: { zh: "刚过 0.80", en: "just past 0.80" }, state: { row: ROW, score: 81, tenth: false } },
      { label: { zh: "全部除以 10", en: "all divided by 10" }, state: { row: ROW, score: 70, tenth: true } },
    ],
    // Another row begins where it is.
    adjust: (state, moved, data) => (moved === "row" ? { ...state, score: data.percent[state.row] } : state),
    compute,
    draw: ({ points, auc, loss, mean, curve }, { row, score, tenth }, kit, data) => {
      const percent = data.percent.map((old, i) => (i === row ? score : old));
      const high = split(data, 1), low = split(data, 0);
      const colours = { 0: "rust", 0.5: "grey", 1: "green" };
      const links = high.flatMap((i, a) => low.map((j, b) => ({ line: [[percent[i], 1], [percent[j], 0]], colour: colours[points[a][b]], dashed: points[a][b] < 1 })));
      const named = [["green", { zh: "赢，1 分", en: "won: 1" }], ["grey", { zh: "平，半分", en: "tied: one half" }], ["rust", { zh: "输，0 分", en: "lost: 0" }]];
      const text = (v) => kit.number(v / (tenth ? 1000 : 100)), dots = (rows, y) => ({ dots: rows.map((i) => [percent[i], y]), colour: "blue", size: 5 });
      const x = { low: 0, high: 100, ticks: [0, 20, 40, 60, 80, 100], text, label: { zh: "分数", en: "Score" } };
      return kit.plot({
        x, y: { low: -0.2, high: 1.2, ticks: [0, 1], digits: 0, label: { zh: "每一对：正例（1）连到负例（0）", en: "The pairs: each positive (1) with each negative (0)" } },
        height: 170, label: { zh: `六对里得 ${math.sum(points.flat())} 分`, en: `${math.sum(points.flat())} points of six` },
        marks: [...named.map(([colour, name]) => ({ colour, name })), ...links, dots(high, 1), dots(low, 0), { dots: [[percent[row], data.labels[row]]], colour: "ink", size: 9, hollow: true }],
      }) + kit.plot({
        x, y: { low: 0, high: 1, ticks: [0, 0.5, 1], digits: 1, label: { zh: "这一行的分取别的值时，AUC 是多少", en: "AUC for every score of this row" } },
        height: 150, label: { zh: "AUC 随这一行的分跳动", en: "AUC by this row's score, in jumps" },
        marks: [{ dots: curve.map((v, i) => [i + 1, v]), colour: "blue", size: 1.8 }, { dots: [[score, auc]], colour: "ink", size: 5 }],
      }) + kit.text({
        zh: `五行的预测平均 ${kit.number(mean, 3)}，实际有 ${high.length}/${percent.length} 是正例；平均对数损失 ${kit.number(loss)}。`,
        en: `The rows are given ${kit.number(mean, 3)} on average, and ${high.length} of ${percent.length} are positive. Mean logistic loss: ${kit.number(loss)}.`,
      });
    },
    say: ({ points, auc, loss }, { score, tenth }, kit) => {
      const won = math.sum(points.flat()), all = points.flat().length, told = value(score, tenth, kit);
      return {
        zh: `这一行的分是 ${told}：${all} 对得 ${won} 分，AUC ${kit.number(auc)}，损失 ${kit.number(loss)}。`,
        en: `With a score of ${told} for this row: ${won} points of ${all} pairs, an AUC of ${kit.number(auc)}, a loss of ${kit.number(loss)}.`,
      };
    },
  };
})());

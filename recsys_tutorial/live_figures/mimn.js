// MIMN in the world of planted interests: one event after the other into four slots.
"use strict";

recsysLive.figure("mimn", (() => {
  const { math } = recsysLive;
  const INTERESTS = 6, COLOURS = ["blue", "rust", "green", "pink"];
  // A softmax over the cosines of a key and the slots: Eqs. (1) and (2).
  const address = (key, slots, sharpness) => math.softmax(
    slots.map((slot) => sharpness * math.cosine(key, slot)),
  );

  // Write weight handed over, depending on how much has been written: Eqs. (5) and (6).
  const transfer = (W, weight, use) => {
    const scores = math.times(W, use), M = use.length;
    const rows = weight.map((_, i) => math.softmax(scores.slice(i * M, (i + 1) * M)));
    return math.times(math.transpose(rows), weight);
  };

  // One event; what is returned is the new memory and how it came about.
  const write = (own, sharpness, old, e) => {
    const controller = math.gru(own, [...e, ...old.read], old.controller), D = controller.length;
    const heads = math.linear(own.heads, own.heads_bias, controller);
    const [readKey, writeKey, erase, add] = math.range(4).map((k) => heads.slice(k * D, (k + 1) * D));
    const addressed = address(writeKey, old.slots, sharpness);
    const written = own.transfer ? transfer(own.transfer, addressed, old.use) : addressed;
    const lost = old.slots.map((slot, i) => slot.map((value, d) => value * written[i] * math.sigmoid(erase[d])));
    const gained = written.map((weight) => add.map((value) => weight * Math.tanh(value)));
    const slots = old.slots.map((slot, i) => math.plus(slot, math.scale(lost[i], -1), gained[i]));  // Eq. (4)
    const weights = address(readKey, slots, sharpness);
    return {
      slots, controller, read: math.times(math.transpose(slots), weights), use: math.plus(old.use, written),
      addressed, written, erased: lost.map((x, i) => math.norm(x) / math.norm(old.slots[i])), added: gained.map(math.norm),
    };
  };

  const compute = (data, { step, mur }) => {
    const name = mur ? "mur_" : "plain_";
    const own = Object.fromEntries(Object.keys(data).filter((key) => key.startsWith(name)).map((key) => [key.slice(name.length), data[key]]));
    const zeros = own.start[0].map(() => 0);
    let memory = { slots: own.start, read: zeros, controller: zeros, use: own.start.map(() => 0) };
    const path = own.steps.map((e) => (memory = write(own, data.words.sharpness, memory, e)));
    const { addressed, erased, added, use } = path[step - 1];
    return { path: path.map((each) => each.written), addressed, erased, added, use };
  };

  return {
    question: { zh: "来了一次点击，四个槽里写到哪一个？", en: "A click comes in: which of the four slots is written?" },
    predict: { zh: "打开 MUR，四条线会变成什么样？", en: "with MUR, what will become of the four lines?" },
    source: {
      zh: "由两个在六种兴趣的模拟世界里训练好的模型，在网页里逐次现算；点击是摆出来的，三种兴趣，一种接一种。",
      en: "Computed in this page by two models trained in a simulated world of six interests; the clicks are laid out, three interests one after the other.",
    },
    handles: (data) => [
      { name: "step", kind: "range", min: 1, max: data.items.length, label: { zh: "第几次点击", en: "Click" }, text: (v) => `${v} / ${data.items.length}` },
      { name: "mur", kind: "switch", label: { zh: "MUR", en: "MUR" } },
    ],
    states: (data) => [
      { label: { zh: "朴素的记忆，写完", en: "plain memory, all clicks" }, state: { step: data.items.length, mur: false } },
      { label: { zh: "有 MUR，第 8 次点击", en: "with MUR, click 8" }, state: { step: 8, mur: true } },
      { label: { zh: "有 MUR，写完", en: "with MUR, all clicks" }, state: { step: data.items.length, mur: true } },
    ],
    compute,
    draw: ({ path, addressed, erased, added }, { step, mur }, kit, data) => {
      const interest = (t) => (data.items[t] - 1) % INTERESTS;
      const turns = math.range(path.length).filter((t) => t && interest(t) !== interest(t - 1));
      const weights = kit.plot({
        x: { low: 0.5, high: path.length + 0.5, ticks: [1, 4, 8, 12, 16], digits: 0, label: { zh: "第几次点击", en: "Click" } },
        y: { low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1], label: { zh: `写到各槽的权重；虚线：第 ${turns.join("、")} 次之后换了兴趣`, en: `Write weight of each slot; dashed: another interest, after clicks ${turns.join(" and ")}` } },
        label: { zh: "到这一次为止，写到四个槽的权重", en: "The weights of the four slots up to this click" },
        marks: [...turns.map((t) => ({ rule: t + 0.5, colour: "grey", dashed: true })), ...COLOURS.flatMap((colour, i) => {
          const points = path.slice(0, step).map((each, t) => [t + 1, each[i]]);
          return [{ line: points, colour }, { dots: points.slice(-1), colour, name: { zh: `槽 ${i + 1}`, en: `slot ${i + 1}` } }];
        })],
      });
      return weights + kit.text("") + kit.heat({
        rows: COLOURS.map((_, i) => i + 1), corner: { zh: "槽", en: "slot" },
        columns: [{ zh: "寻址", en: "addressed" }, { zh: "写入", en: "written" }, { zh: "擦去", en: "erased" }, { zh: "加上", en: "added" }],
        values: COLOURS.map((_, i) => [addressed[i], path[step - 1][i], erased[i], added[i]]),
        title: { zh: `第 ${step} 次点击`, en: `Click ${step}` },
      }) + kit.text({
        zh: `寻址：这次点击与各槽有多合；写入：写进去的权重，${mur ? "MUR 已按各槽写过多少重新分配" : "这里与寻址相同"}。擦去：擦掉的长度，以槽原来的为 1；加上：加上的长度。`,
        en: `Addressed: how well the click fits each slot. Written: its weight there, ${mur ? "which MUR sets by how much each slot has had" : "here the same"}. Erased: length wiped out, as a share of the slot's; added: length put in.`,
      });
    },
    say: ({ path, addressed, use }, { step, mur }, kit) => {
      const best = math.order(addressed)[0], most = math.order(use)[0], told = kit.percent(addressed[best]);
      const written = kit.percent(path[step - 1][best]), had = kit.percent(use[most] / step);
      return mur ? {
        zh: `第 ${step} 次点击寻址最多的是槽 ${best + 1}（${told}），MUR 却只往那里写 ${written}；到此为止，各槽各得四分之一上下。`,
        en: `Click ${step} addresses slot ${best + 1} most (${told}), but MUR has only ${written} written there; so far each slot has had about a quarter.`,
      } : {
        zh: `第 ${step} 次点击，槽 ${best + 1} 写得最多，占 ${written}；到此为止，全部写入里槽 ${most + 1} 得了 ${had}。点十六次也好，一千次也好，都只有四个槽。`,
        en: `Click ${step}: the largest share, ${written}, goes into slot ${best + 1}; slot ${most + 1} has had ${had} of everything so far. Sixteen clicks or a thousand, there are four slots.`,
      };
    },
  };
})());

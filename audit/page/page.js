// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Everything from the log is shown as text: textContent, never HTML.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const report = JSON.parse(byId("report").textContent), rows = report.requests;
  const filterNames = ["who", "name", "token", "kind", "outcome", "from", "until", "text"];
  const groups = ["given", "denied", "change", "other"], pageSize = 100;
  const groupText = { given: "tokens handed out", denied: "denied, refused, unanswered", change: "changes, rotations, revocations", other: "other requests" };
  const make = (node, attributes, ...children) => {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value); else node.setAttribute(key, value);
    }
    node.append(...children.filter((c) => c !== "")); return node;
  };
  const el = (name, ...rest) => make(document.createElement(name), ...rest), svg = (name, ...rest) => make(document.createElementNS("http://www.w3.org/2000/svg", name), ...rest);
  // Invisible characters and those that turn the writing direction are shown as what they are.
  const plain = (text) => String(text ?? "").replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
  const ms = (t) => Date.parse(t), number = (n) => Number(n).toLocaleString("en-US"), readers = (list) => new Set(list.map((r) => r.identity || r.who)).size;
  const clock = (t) => t ? String(t).slice(0, 19).replace("T", " ") : "", short = (text) => String(text ?? "").replace(/hmac-sha256:([0-9a-f]{12})[0-9a-f]+/g, "hmac:$1\u2026");
  const whoKey = (r) => r.who + (r.identity ? " \u00b7 " + short(r.identity) : "");
  const nameOf = (r) => r.name ?? r.role, tokenName = (t) => t.token_id || t.token_hmac || "";
  const groupOf = (r) => r.outcome !== "ok" ? "denied" : r.kind === "read" || r.kind === "unwrap" ? "given" : ["view", "rewrap"].includes(r.kind) ? "other" : "change";
  // ---- filters, kept in the address so that a view can be sent to a colleague with the file
  const state = {}, tables = [];
  const set = (changes) => {
    for (const name of filterNames) { const f = byId("f-" + name); f.value = changes[name] ?? state[name] ?? ""; state[name] = f.value; }
    history.replaceState(null, "", "#" + new URLSearchParams(Object.entries(state).filter(([, value]) => value))); draw();
  };
  const only = (changes) => set({ ...Object.fromEntries(filterNames.map((name) => [name, ""])), ...changes }), readHash = () => only(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
  const bound = (name) => {
    const text = state[name].trim(), at = text ? Date.parse(text.replace(" ", "T").replace(/(Z|[+-]\d\d:\d\d)?$/, (zone) => zone || "Z")) : NaN;
    byId("f-" + name).classList.toggle("wrong", text !== "" && Number.isNaN(at)); return at;
  };
  // One test for all tables: what a table does not have does not hide its lines.
  const matcher = () => {
    const from = bound("from"), until = bound("until"), text = state.text.toLowerCase();
    return (r, isSought) => { // what the log does not tell of a reader of the leaked token hides nobody
      const first = ms(r.first || r.time), last = ms(r.last || r.time);
      return (!state.who || r.who === undefined || r.receivers || whoKey(r) === state.who) && (isSought || (!state.name || nameOf(r) === undefined || nameOf(r) === state.name) &&
        (!state.token || r.token === undefined || tokenName(r) === state.token) && (!state.kind || !r.kind || r.kind === state.kind || r.kind === "unwrap" && state.kind === "read") && (!state.outcome || !r.outcome || r.outcome === state.outcome)) &&
        (Number.isNaN(from) || !(last < from)) && (Number.isNaN(until) || !(first >= until)) && (!text || JSON.stringify(r).toLowerCase().includes(text));
    };
  };
  const options = (id, values) => {
    const select = byId(id); select.append(el("option", { value: "" }, "all"));
    for (const value of [...new Set(values)].filter(Boolean).sort()) select.append(el("option", { value }, plain(value)));
  };
  // ---- tables: a column is shown by what its name says
  const isNumber = (name) => ["times", "callers"].includes(name), isTime = (name) => ["time", "first", "last", "changed", "revoked_at"].includes(name);
  const isWide = (name) => ["error", "written", "state", "why", "receivers"].includes(name);
  const cell = (r, name) => {
    if (name === "who") {
      const small = { id: short(r.identity), policies: r.policies ? "policies: " + r.policies : "" };
      return el("td", { class: "wide" }, plain(r.who), ...Object.entries(small).map(([name, s]) => el("small", { class: name }, plain(s))));
    }
    const value = r[name];
    if (name === "outcome") return el("td", {}, el("span", { class: "tag" + (value === "ok" ? "" : " bad") }, plain(value)));
    if (isNumber(name)) return el("td", { class: "num" }, number(value));
    return isTime(name) ? el("td", { class: "time", title: plain(value) }, clock(value)) : el("td", { class: isWide(name) ? "wide" : "mono" }, plain(short(value)));
  };
  const table = ({ id, title, columns }) => {
    const data = report[id], names = columns.filter((name) => name !== "identity"); if (data.length === 0) return;
    const count = el("span", { class: "count" }), body = el("tbody"), head = el("tr");
    const more = el("button", { type: "button", class: "more", onclick: () => { t.shown += 5 * pageSize; t.draw(t.test); } });
    const empty = el("p", { class: "empty" }, "nothing matches"), by = ["last", "time", "path"].find((name) => names.includes(name));
    const t = { shown: pageSize, by, down: by !== "path" };
    for (const name of names) {
      head.append(el("th", { scope: "col" }, el("button", {
        type: "button", onclick: () => { t.down = t.by === name ? !t.down : isNumber(name) || isTime(name); t.by = name; t.draw(t.test); },
      }, name.replaceAll("_", " "))));
    }
    t.draw = (test) => {
      t.test = test; const kept = data.filter((r) => test(r, id === "receivers" || id === "possible"));
      kept.sort((a, b) => ((a[t.by] ?? "") < (b[t.by] ?? "") ? -1 : (a[t.by] ?? "") > (b[t.by] ?? "") ? 1 : 0) * (t.down ? -1 : 1));
      [...head.children].forEach((th, n) => {
        if (names[n] === t.by) th.setAttribute("aria-sort", t.down ? "descending" : "ascending"); else th.removeAttribute("aria-sort");
      });
      body.replaceChildren(...kept.slice(0, t.shown).map((r) => el("tr", {}, ...names.map((name) => cell(r, name)))));
      count.textContent = kept.length === data.length ? number(data.length) : number(kept.length) + " of " + number(data.length);
      more.hidden = kept.length <= t.shown; empty.hidden = kept.length > 0;
      more.textContent = "show more (" + number(kept.length - Math.min(kept.length, t.shown)) + " left)";
    };
    byId("sections").append(el("section", { id }, el("h2", {}, title[0].toUpperCase() + title.slice(1), count),
      el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), body), empty), more));
    tables.push(t);
  };
  const fixed = () => { const s = report.summary[0]; document.title = byId("title").textContent = "Audit of " + plain(report.mount);
    byId("span").textContent = (s.first ? clock(s.first) + " to " + clock(s.last) + " UTC" : "no request of this mount") + " \u00b7 by mastersindia-audit " + plain(report.version);
    if (report.alarms.length) {
      byId("alarms").append(el("div", { class: "panel alarm", role: "alert" }, el("h2", {}, report.alarms.length === 1 ? "An alarm" : report.alarms.length + " alarms"),
        el("ul", {}, ...report.alarms.map((a) => el("li", {}, clock(a.time) + "  " + plain(a.message))))));
    }
    if (report.receivers) {
      byId("leak").append(el("div", { class: "panel" }, el("h2", {}, "The leaked token"), el("p", {}, "Given to " + readers(report.receivers) +
        " readers whom the log shows, and possibly to " + readers(report.possible) + " of whom it does not tell: see the tables.")));
    }
    byId("notices").append(...report.notes.map((n) => el("li", {}, plain(n.text))));
    const cards = [
      ["tokens handed out", s.given, { kind: "read", outcome: "ok" }], ["callers who got one", s.callers, {}], ["denied by Vault", s.denied, { outcome: "denied" }, true],
      ["refused", s.refused, { outcome: "refused" }, true], ["configs, roles, mount changed", s.changes, { outcome: "ok" }],
      ["rotations", s.rotations, { kind: "rotate", outcome: "ok" }], ["revocations", s.revocations, { kind: "revoke", outcome: "ok" }],
      ["no answer in the log", s.unanswered, { outcome: "unanswered" }, true],
    ];
    byId("cards").append(...cards.map(([text, n, filter, bad]) => el("button", {
      type: "button", class: "card" + (bad && n > 0 ? " bad" : ""), onclick: () => only(filter),
    }, el("b", {}, number(n)), el("span", {}, text))));
    byId("legend").append(...groups.map((g) => el("span", {}, el("i", { class: g }), groupText[g])), el("span", {}, el("i", { class: "ghost" }), "all, before filtering"), el("span", {}, "drag to choose a time"));
  };
  const timeline = (test, filtered) => {
    const parts = report.histogram, step = (parts[0]?.step_seconds ?? 1) * 1000, box = byId("timeline");
    box.replaceChildren(); if (parts.length === 0) return;
    const width = Math.max(box.clientWidth, 300), height = 170, left = 46, right = 8, top = 8, bottom = 24, start = ms(parts[0].start), end = ms(parts[parts.length - 1].start) + step;
    // Bars are whole numbers of steps, so that exact counts and listed requests fall into the same ones.
    const perBar = Math.max(1, Math.ceil((end - start) / step / Math.floor((width - left - right) / 5)));
    const barTime = step * perBar, bars = Math.ceil((end - start) / barTime);
    const empty = () => Array.from({ length: bars }, () => ({ given: 0, denied: 0, change: 0, other: 0 })), total = empty(), shown = filtered ? empty() : total;
    const place = (at) => Math.min(bars - 1, Math.max(0, Math.floor((at - start) / barTime)));
    for (const p of parts) for (const g of groups) total[place(ms(p.start))][g] += p[g];
    if (filtered) for (const r of rows) if (test(r)) shown[place(ms(r.time))][groupOf(r)]++;
    const sum = (b) => groups.reduce((n, g) => n + b[g], 0), most = Math.max(1, ...total.map(sum)), x = (n) => left + (width - left - right) * n / bars, y = (n) => (height - top - bottom) * n / most;
    const root = svg("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": "requests over time" });
    for (const share of [0, 0.5, 1]) {
      const at = height - bottom - y(most * share);
      root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }), svg("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, number(Math.round(most * share))));
    }
    for (const [share, anchor] of [[0, "start"], [0.25, "middle"], [0.5, "middle"], [0.75, "middle"], [1, "end"]]) {
      const text = new Date(start + (end - start) * share).toISOString().replace("T", " ").slice(0, 19);
      root.append(svg("text", { x: left + (width - left - right) * share, y: height - 6, "text-anchor": anchor }, text));
    }
    total.forEach((b, n) => {
      const w = Math.max(1, x(n + 1) - x(n) - 1); let base = height - bottom;
      if (filtered && sum(b) > 0) root.append(svg("rect", { class: "ghost", x: x(n), width: w, y: height - bottom - y(sum(b)), height: y(sum(b)) }));
      for (const g of groups.filter((name) => shown[n][name])) {
        const h = Math.max(y(shown[n][g]), 1.5);
        root.append(svg("rect", { class: g, x: x(n), width: w, y: base -= h, height: h }));
      }
    });
    const brush = root.appendChild(svg("rect", { class: "brush", y: top, height: height - top - bottom, width: 0 }));
    const barAt = (event) => {
      const { left: from, width: wide } = root.getBoundingClientRect();
      return Math.min(bars - 1, Math.max(0, Math.floor(((event.clientX - from) * width / wide - left) / (width - left - right) * bars)));
    };
    let pressed = null; const span = (event) => [Math.min(pressed, barAt(event)), Math.max(pressed, barAt(event)) + 1];
    const at = (bar) => clock(new Date(start + bar * barTime).toISOString()), title = root.appendChild(svg("title"));
    root.addEventListener("pointerdown", (event) => { pressed = barAt(event); root.setPointerCapture(event.pointerId); });
    root.addEventListener("pointermove", (event) => {
      const b = shown[barAt(event)];
      title.textContent = at(barAt(event)) + " UTC\n" + groups.filter((g) => b[g]).map((g) => number(b[g]) + " " + groupText[g]).join("\n");
      if (pressed !== null) make(brush, { x: x(span(event)[0]), width: x(span(event)[1]) - x(span(event)[0]) });
    });
    root.addEventListener("pointerup", (event) => { if (pressed !== null) set({ from: at(span(event)[0]), until: at(span(event)[1]) }); });
    box.append(root);
  };
  const draw = () => {
    const test = matcher(); byId("matches").textContent = number(rows.filter((r) => test(r)).length) + " of " + number(rows.length) + " listed requests";
    timeline(test, filterNames.some((name) => state[name])); for (const t of tables) t.draw(test);
  };
  fixed(); const listed = [rows, report.readings, report.refusals, report.receivers ?? [], report.possible ?? []].flat();
  for (const [id, values] of Object.entries({ who: listed.map(whoKey), name: listed.map(nameOf), token: report.tokens.map(tokenName),
    kind: rows.map((r) => r.kind), outcome: rows.map((r) => r.outcome) })) options("f-" + id, values);
  for (const section of report.sections) if (section.columns && section.id !== "summary") table(section);
  for (const name of filterNames) byId("f-" + name).addEventListener("change", () => set({ [name]: byId("f-" + name).value }));
  byId("f-text").addEventListener("input", () => set({ text: byId("f-text").value }));
  byId("reset").addEventListener("click", () => only({})); byId("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", readHash); addEventListener("resize", draw); readHash(); document.documentElement.dataset.ready = "true";
})();

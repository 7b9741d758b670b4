// Makes pages live: without this file they are complete, and as old as their request.
// A message that comes over the WebSocket goes straight into its row; what cannot be written so (a new row, counts, the
// map) is asked for again from the server, which knows how to say it.
"use strict";
(() => {
  const main = document.getElementById("main");
  const dutch = document.documentElement.lang === "nl";
  const say = (nl, en) => (dutch ? nl : en);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const SOCKETS = 6; // of one page; with more feeds it asks again every few seconds
  let paused = false;
  let map = null;

  // ---- numbers and times, as the server writes them
  const number = (v) => {
    const text = String(Number(v.toPrecision(6)));
    return dutch ? text.replace(".", ",") : text;
  };
  const UNITS = [[2 * 31536000, 31536000, "jaar", "year", "jaar", "years"], [2 * 86400, 86400, "dag", "day", "dagen", "days"],
    [7200, 3600, "uur", "hour", "uur", "hours"], [120, 60, "minuut", "minute", "minuten", "minutes"],
    [0, 1, "seconde", "second", "seconden", "seconds"]];
  const ago = (then) => {
    const s = Math.trunc((Date.now() - then) / 1000);
    if (Math.abs(s) <= 2) return say("zojuist", "just now");
    const [, size, one, oneEn, many, manyEn] = UNITS.find((u) => Math.abs(s) >= u[0] || Math.abs(s) === u[1]);
    const n = Math.trunc(Math.abs(s) / size);
    const words = n + " " + (n === 1 ? say(one, oneEn) : say(many, manyEn));
    return s < 0 ? say("over ", "in ") + words : words + say(" geleden", " ago");
  };
  const age = () => {
    for (const t of main.querySelectorAll("time")) {
      const text = ago(Date.parse(t.dateTime));
      if (t.textContent !== text) t.textContent = text;
    }
  };

  // ---- what the server says anew
  // Charts stay where they are and are fetched when their address is another one, so that nothing flickers.
  function redraw(old, part) {
    const [was, now] = [old, part].map((e) => [...e.querySelectorAll(".chart source, .chart img, .chart a")]);
    if (!was.length || was.length !== now.length) return false;
    now.forEach((e, i) => {
      for (const name of ["srcset", "src", "href"])
        if (e.hasAttribute(name) && was[i].getAttribute(name) !== e.getAttribute(name)) was[i].setAttribute(name, e.getAttribute(name));
    });
    return true;
  }
  let asking = false;
  const parts = (root) => new Map([...root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
  async function refresh() {
    if (asking || paused) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const now = parts(main);
        for (const [name, part] of parts(fresh)) {
          const old = now.get(name);
          if (!old || redraw(old, part)) continue;
          if (!old.contains(document.activeElement)) old.replaceWith(document.adoptNode(part));
        }
        drawMap();
      }
    } catch { /* the next one may work */ }
    asking = false;
  }
  let due = 0;
  function soon(ms) { // at most once in ms
    if (due) return;
    due = setTimeout(() => { due = 0; refresh(); }, ms);
  }

  // ---- one message into its row
  function find(data, member) {
    let at = data;
    for (const name of member.split("/")) at = at && typeof at === "object" ? at[name] : undefined;
    return at;
  }
  function show(cell, value) {
    const b = cell.querySelector(".value");
    if (!b || typeof value !== "number") return false;
    const text = number(value * Number(b.dataset.factor || 1));
    if (b.textContent !== text) {
      b.textContent = text;
      b.classList.add("fresh");
      setTimeout(() => b.classList.remove("fresh"), 1500);
    }
    return true;
  }
  function take(event) {
    const feed = event.id.split(":")[0];
    const rows = [...main.querySelectorAll("[data-thing]")]
      .filter((e) => e.dataset.thing === event.subject && e.dataset.feed === feed);
    if (!rows.length) return soon(1000);
    for (const row of rows) {
      const time = row.querySelector("time");
      const observed = Date.parse(event.observedtime || event.time);
      if (time && Date.parse(time.dateTime) > observed) continue; // came late
      let whole = true;
      for (const cell of row.querySelectorAll("[data-member]")) {
        // a scaled value differs from what was sent: the server knows
        whole = !cell.dataset.scaled && show(cell, find(event.data, cell.dataset.member)) && whole;
      }
      if (time) {
        time.dateTime = new Date(observed).toISOString();
        time.removeAttribute("title");
        time.textContent = ago(observed);
      }
      soon(whole ? 5000 : 800);
    }
  }

  async function follow(feed, thing) {
    let after = "";
    for (let pause = 1000; ; pause = Math.min(2 * pause, 30000)) {
      await new Promise((done) => {
        const query = new URLSearchParams();
        if (after) query.set("after", after);
        if (thing) query.set("thing", thing);
        const url = new URL("/v1/feeds/" + encodeURIComponent(feed) + "/events?" + query, location.href);
        url.protocol = url.protocol.replace("http", "ws");
        let socket;
        try { socket = new WebSocket(url, "cloudevents.json"); } catch { return done(); }
        socket.onopen = () => { pause = 1000; state(true); };
        socket.onmessage = (m) => {
          const event = JSON.parse(m.data);
          const at = /^[^:]+:(\d+:\d+)/.exec(event.id || "");
          if (at) after = at[1];
          if (event.sequence && !paused) take(event);
        };
        socket.onclose = () => { state(false); done(); };
      });
      await wait(pause + Math.random() * 500);
      if (after) soon(0);
    }
  }

  // ---- live, or paused [WCAG 2.2.2]
  let button = null;
  function state(open) {
    if (button) button.classList.toggle("waits", !open || paused);
  }
  function addButton() {
    button = document.createElement("button");
    button.type = "button";
    button.className = "quiet live";
    const label = () => { button.textContent = paused ? say("Gepauzeerd: ga verder", "Paused: go on") : say("Live: pauzeer", "Live: pause"); };
    button.onclick = () => { paused = !paused; label(); state(true); if (!paused) refresh(); };
    label();
    main.append(button);
  }

  // ---- the map
  function drawMap() {
    const box = document.getElementById("map");
    if (!box || typeof L === "undefined") return;
    const rows = [...main.querySelectorAll("tr[data-lat]")];
    const classes = new Map([...box.querySelectorAll("svg a")].map((a) => [a.getAttribute("href"), a.querySelector("circle").getAttribute("class")]));
    if (!map) {
      box.replaceChildren();
      map = { base: L.map(box, { zoomControl: true }), dots: new Map(), classes, fitted: false };
      map.base.attributionControl.setPrefix("Leaflet");
      if (box.dataset.tiles) {
        const attribution = document.createElement("span"); // text, not markup
        attribution.textContent = box.dataset.attribution;
        L.tileLayer(box.dataset.tiles, { attribution: attribution.innerHTML, maxZoom: 19 }).addTo(map.base);
      }
    }
    const bounds = [];
    for (const row of rows) {
      const link = row.querySelector("th a");
      const key = row.dataset.feed + "\n" + row.dataset.thing;
      const place = [Number(row.dataset.lat), Number(row.dataset.lon)];
      const edges = row.dataset.bbox ? row.dataset.bbox.split(",").map(Number) : null;
      const area = edges ? [[edges[1], edges[0]], [edges[3], edges[2]]] : null; // what is around a line or a surface
      bounds.push(...(area || [place]));
      let dot = map.dots.get(key);
      if (!dot) {
        dot = L.circleMarker(place, { radius: 8, className: map.classes.get(link.getAttribute("href")) || "dot", weight: 2, fillOpacity: 0.9, opacity: 1 });
        dot.bindPopup(() => { // built from text, never from markup
          const div = document.createElement("div");
          div.append(link.cloneNode(true));
          for (const r of row.querySelectorAll(".reading")) {
            const line = document.createElement("div");
            line.textContent = r.textContent;
            div.append(line);
          }
          return div;
        });
        dot.addTo(map.base);
        map.dots.set(key, dot);
      }
      if (area && !dot.area) dot.area = L.rectangle(area, { className: "extent", weight: 1, interactive: false }).addTo(map.base).bringToBack();
      if (area) dot.area.setBounds(area);
      dot.setLatLng(place);
    }
    if (!map.fitted && bounds.length) {
      map.base.fitBounds(bounds, { padding: [30, 30], maxZoom: 15 });
      map.fitted = true;
    }
  }

  // ---- an address becomes a place
  function addSearch() {
    const input = main.querySelector("input[data-search]");
    if (!input || !input.dataset.search) return;
    const words = input.parentElement.querySelector("[data-plain]");
    words.textContent = words.dataset.plain;
    input.placeholder = say("straat en plaats, of 52.0771, 4.3162", "street and town, or 52.0771, 4.3162");
    input.form.addEventListener("submit", async (e) => {
      if (!input.value.trim() || /^\s*-?[\d.]+[ ,;]+-?[\d.]+\s*$/.test(input.value)) return;
      e.preventDefault();
      const url = new URL(input.dataset.search);
      url.search = new URLSearchParams({ q: input.value, rows: "1", fl: "weergavenaam,centroide_ll" });
      let point = null;
      try {
        const doc = (await (await fetch(url)).json()).response.docs[0];
        point = /POINT\(([-\d.]+) ([-\d.]+)\)/.exec(doc && doc.centroide_ll);
      } catch { /* told below */ }
      if (point) {
        input.value = Number(point[2]).toFixed(5) + ", " + Number(point[1]).toFixed(5);
        input.form.submit();
      } else {
        input.setCustomValidity(say("Dit adres is niet gevonden.", "This address was not found."));
        input.reportValidity();
        input.oninput = () => input.setCustomValidity("");
      }
    });
  }

  // ---- lines to copy
  function addCopies() {
    if (!navigator.clipboard) return;
    for (const figure of main.querySelectorAll("figure.code")) {
      const copy = document.createElement("button");
      copy.type = "button";
      copy.className = "quiet";
      copy.textContent = say("Kopieer", "Copy");
      copy.setAttribute("aria-label", copy.textContent + ": " + figure.querySelector("figcaption").textContent);
      copy.onclick = async () => {
        await navigator.clipboard.writeText(figure.querySelector("code").textContent);
        copy.textContent = say("Gekopieerd", "Copied");
        setTimeout(() => { copy.textContent = say("Kopieer", "Copy"); }, 2000);
      };
      const bar = document.createElement("figcaption");
      bar.className = "bar";
      const caption = figure.querySelector("figcaption");
      bar.append(...caption.childNodes, copy);
      caption.replaceWith(bar);
    }
  }

  addCopies();
  addSearch();
  drawMap();
  if (main.dataset.live !== undefined) {
    const feeds = main.dataset.live.split(" ").filter(Boolean);
    const one = location.pathname.startsWith("/t/") ? main.querySelector("[data-thing]") : null;
    addButton();
    setInterval(() => { if (!paused) age(); }, 1000);
    if (feeds.length && feeds.length <= SOCKETS) {
      for (const feed of feeds) follow(feed, one && one.dataset.thing);
    } else {
      setInterval(() => { if (document.visibilityState === "visible") refresh(); }, 2000);
    }
  }
})();

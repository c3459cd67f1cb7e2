// The page's own script. The server sends whole blocks of markup; here only what differs is
// touched, so that focus, selection, open menus and scroll stay where they are.
"use strict";
(() => {
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function same(a, b) {
    return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
  }

  function attributes(here, there) {
    for (const { name } of [...here.attributes]) {
      if (name === "open" || there.hasAttribute(name)) continue;
      here.removeAttribute(name);
    }
    for (const { name, value } of there.attributes) {
      if (here.getAttribute(name) !== value) here.setAttribute(name, value);
    }
  }

  function tint(node) {
    const figure = node.parentElement?.closest("[data-live]");
    if (!figure || still.matches) return;
    figure.classList.remove("p-tint");
    void figure.offsetWidth;
    figure.classList.add("p-tint");
  }

  function morph(here, there) {
    if (here.nodeType === Node.TEXT_NODE) {
      if (here.data !== there.data) {
        here.data = there.data;
        tint(here);
      }
      return;
    }
    if (here.nodeType !== Node.ELEMENT_NODE || here.isEqualNode(there)) return;
    const typing = here === document.activeElement && "value" in here;
    attributes(here, there);
    if (typing || here.hasAttribute("data-keep")) return;
    if (here.nodeName === "INPUT") here.checked = there.hasAttribute("checked");
    const wanted = [...there.childNodes];
    wanted.forEach((child, i) => place(here, child, i));
    while (here.childNodes.length > wanted.length) here.lastChild.remove();
  }

  // Puts `child` at place i of `here`: as the element that has its id, if there is one.
  function place(here, child, i) {
    const known = child.id && [...here.childNodes].find((old) => same(old, child));
    if (known && known !== here.childNodes[i]) here.insertBefore(known, here.childNodes[i]);
    const old = here.childNodes[i];
    if (!old) here.append(child);
    else if (same(old, child)) morph(old, child);
    else if (old.id) here.insertBefore(child, old);
    else old.replaceWith(child);
  }

  function parse(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content.firstElementChild;
  }

  // blocks: id -> markup of one element with that id. order: ids in <main>, if they changed.
  function apply({ blocks, order, title, said }) {
    if (order) {
      const main = document.getElementById("main");
      for (const child of [...main.children]) {
        if (!order.includes(child.id)) child.remove();
      }
      order.forEach((id, i) => {
        const old = document.getElementById(id) ?? parse(blocks[id]);
        if (main.children[i] !== old) main.insertBefore(old, main.children[i] ?? null);
      });
    }
    for (const [id, html] of Object.entries(blocks)) {
      const here = document.getElementById(id);
      const there = parse(html);
      if (!here) continue;
      if (same(here, there)) morph(here, there);
      else here.replaceWith(there);
    }
    if (title) document.title = title;
    if (said) document.getElementById("p-said").textContent = said;
    named();
    document.body.classList.remove("p-busy");
  }

  function ask(href, keep) {
    const url = new URL(href, location.href);
    for (const menu of document.querySelectorAll("details.p-menu[open]")) menu.open = false;
    if (!window.did_handshake) {
      location.assign(url);
      return;
    }
    document.body.classList.add("p-busy");
    if (!keep) {
      history.pushState({}, "", url);
      if (url.searchParams.has("cursor") || url.hash === "#top") scrollTo(0, 0);
    }
    emitEvent("p_ask", url.search);
  }

  function here(url) {
    return url.origin === location.origin && url.pathname === location.pathname && !url.hash;
  }

  addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.p-menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const theme = event.target.closest("[data-theme]");
    if (theme) return flip();
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || link.hasAttribute("download")) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (!here(url)) return;
    event.preventDefault();
    ask(url, url.search === location.search);
  });

  // A form of the scope bar names the keys it decides in data-keys; all others stay.
  addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-keys]");
    if (!form) return;
    event.preventDefault();
    const url = new URL(location.href);
    for (const key of [...form.dataset.keys.split(" "), "cursor"]) url.searchParams.delete(key);
    const values = new Map();
    for (const [key, value] of new FormData(form)) {
      if (value) values.set(key, [...(values.get(key) ?? []), value]);
    }
    for (const [key, listed] of values) url.searchParams.set(key, listed.join(","));
    url.hash = "";
    ask(url);
  });

  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.p-menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // Answers to alerts: a button says what, the fields beside it who and why.
  addEventListener("click", (event) => {
    const button = event.target.closest("button[data-answer]");
    if (button) answer(button);
  });

  async function answer(button) {
    const card = button.closest("#p-answers");
    const by = card.querySelector("[data-by]");
    const note = card.querySelector("[data-note]");
    const said = document.getElementById("p-answered");
    if (!by.value.trim()) {
      said.textContent = "Say who you are first.";
      by.focus();
      return;
    }
    localStorage.setItem("pnl_name", by.value.trim());
    const { doing, for: span } = button.dataset;
    for (const each of card.querySelectorAll("button")) each.disabled = true;
    said.textContent = "…";
    try {
      const response = await fetch(button.dataset.answer, {
        method: "POST",
        headers: { "content-type": "application/json", "x-pnl-answer": "1" },
        body: JSON.stringify({ doing, by: by.value, note: note.value, span: span ?? "" }),
      });
      const found = await response.json();
      said.textContent = found.said ?? found.error;
      if (response.ok) note.value = "";
    } catch {
      said.textContent = "Not sent: the connection is lost. Try again.";
    }
    for (const each of card.querySelectorAll("button")) each.disabled = false;
    card.querySelector("details")?.removeAttribute("open");
  }

  function named() {
    for (const field of document.querySelectorAll("[data-by]")) {
      field.value ||= localStorage.getItem("pnl_name") ?? "";
    }
  }

  // A letter does what the element with that data-key does, outside of fields.
  addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.key.length !== 1) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    const found = /[a-z]/.test(key) && document.querySelector(`[data-key="${key}"]`);
    if (!found) return;
    event.preventDefault();
    found.click();
    if (found.nodeName === "SUMMARY") found.focus();
  });

  addEventListener("popstate", () => ask(location.href, true));

  document.addEventListener("visibilitychange", () => {
    if (window.did_handshake) emitEvent("p_hidden", document.hidden);
  });

  function flip() {
    const dark = !document.documentElement.classList.contains("p-dark");
    document.cookie = `pnl_theme=${dark ? "dark" : "light"}; path=/; max-age=31536000; samesite=lax`;
    theme(dark);
  }

  function theme(dark) {
    document.documentElement.classList.toggle("p-dark", dark);
    document.getElementById("nicegui-color-scheme")?.setAttribute("content", dark ? "dark" : "light");
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", dark ? "true" : "false");
    }
  }

  addEventListener("DOMContentLoaded", () => {
    theme(document.documentElement.classList.contains("p-dark"));
    named();
  });

  window.pnl = { apply };
})();

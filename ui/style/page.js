// mingbai: draws formulas and copies links. Everything is on this page already; nothing is fetched from elsewhere.
(() => {
  if (window.mingbai) return;
  window.mingbai = true;
  // No trust: commands that make links, pictures, classes or styles come out as their own names.
  const options = { throwOnError: false, trust: false, strict: "ignore", maxSize: 10, maxExpand: 200 };
  const page = document.querySelector("script[type=module][src]")?.src ?? document.baseURI;
  let katex = null;
  let asked = false;

  // Streamlit's style sheet is of an older KaTeX than its module, which writes "katex-strut" where that one says "strut".
  const dress = (one) => {
    for (const part of one.querySelectorAll("[class*=katex-]"))
      for (const name of [...part.classList])
        if (name.startsWith("katex-")) part.classList.add(name.slice("katex-".length));
  };

  const draw = () => {
    const found = document.querySelectorAll(".mb-math:not(.mb-drawn)");
    if (!found.length) return;
    if (!katex) {
      if (asked || !KATEX) return;
      asked = true;
      import(new URL(KATEX, page).href).then((loaded) => { katex = loaded.default; draw(); }, () => {});
      return;
    }
    for (const one of found) {
      one.classList.add("mb-drawn");
      const source = one.textContent;
      try {
        katex.render(source, one, { ...options, displayMode: one.classList.contains("mb-math-block") });
        dress(one);
      } catch {
        one.textContent = source;
      }
    }
  };
  // Before the browser paints: what was drawn once is never seen as its source again.
  new MutationObserver(draw).observe(document.body, { childList: true, subtree: true });
  draw();

  const copy = async (words) => {
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      // Not a secure address: the old way.
      const box = document.createElement("textarea");
      box.value = words;
      box.style.position = "fixed";
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button.mb-copy");
    const link = button?.parentElement.querySelector("a.mb-open");
    if (!link) return;
    await copy(link.href);
    const words = button.textContent;
    if (words === button.dataset.done) return;
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = words; }, 1500);
  });
})();

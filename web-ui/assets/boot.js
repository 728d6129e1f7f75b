// Runs before the first paint: puts the chosen theme on the page, then loads the program.
"use strict";
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("kaliun.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage can be switched off; then the system's theme holds.
  }

  const addressOf = (id) => document.getElementById(id).href;
  const tell = (text) => {
    const place = document.getElementById("boot-text");
    if (place) place.textContent = text;
  };
  const ready = new Promise((resolve) => {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
    else resolve();
  });

  const start = async () => {
    const [program] = await Promise.all([import(addressOf("app-script")), ready]);
    await program.default({ module_or_path: addressOf("app-module") });
  };
  start().catch((error) => {
    console.error(error);
    const old = typeof WebAssembly !== "object";
    ready.then(() =>
      tell(
        old
          ? "This browser is too old for the dashboard. Update it or use another one."
          : "The dashboard could not be loaded. Check the connection and load the page again.",
      ),
    );
  });
})();

package dev.conveyor.verticles.page;

import io.vertx.core.json.JsonObject;

/** Where the live page takes its figures from. Called on one event loop only; never blocks. */
public interface PageSource {

  /** Takes a sample, once per period; it is sent to every browser. */
  JsonObject sample();

  /** Returns what a browser that connects now has missed and can still draw. */
  JsonObject history();
}

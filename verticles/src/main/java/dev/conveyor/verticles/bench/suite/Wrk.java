package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.load.HttpPayload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The load generator wrk: a C program that takes little of the cores it shares with the server.
 * Stateless.
 */
final class Wrk {

  private static final Pattern RESULT =
      Pattern.compile("RESULT requests=(\\d+) micros=(\\d+) errors=(\\d+) p50=([0-9.]+)");

  private Wrk() {}

  static boolean isInstalled() {
    return Programs.isInstalled("wrk");
  }

  /** Writes the script that makes wrk post a prepared request, and the request beside it. */
  static Path writeScript(HttpPayload payload, Path directory) throws IOException {
    Path body = Files.createTempFile(directory, "request", ".bin");
    Files.write(body, payload.body().getBytes());
    Path script = Files.createTempFile(directory, "wrk", ".lua");
    Files.writeString(script, script(payload.headBytes(), body));
    return script;
  }

  /**
   * Makes a script wait before each request of a connection: wrk has no rate of its own, but many
   * connections that each wait come close to one.
   */
  static void pace(Path script, Duration wait) throws IOException {
    Files.writeString(
        script,
        "delay = function() return %d end\n".formatted(wait.toMillis()),
        StandardOpenOption.APPEND);
  }

  static String script(int headBytes, Path body) {
    return """
        local file = assert(io.open([==[%s]==], "rb"))
        wrk.method = "POST"
        wrk.body = file:read("*all")
        wrk.headers["Content-Type"] = "application/octet-stream"
        wrk.headers["%s"] = "%d"
        file:close()
        done = function(summary, latency, requests)
          local e = summary.errors
          io.write(string.format("RESULT requests=%%d micros=%%d errors=%%d p50=%%.1f\\n",
            summary.requests, summary.duration,
            e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50)))
        end
        """
        .formatted(body.toAbsolutePath(), HttpPayload.HEAD_LENGTH_HEADER, headBytes);
  }

  static List<String> command(int concurrency, Duration duration, Path script, String url) {
    long seconds = Math.max(1, Math.round(duration.toMillis() / 1000.0));
    return List.of(
        "wrk",
        "-t1",
        "-c" + concurrency,
        "-d" + seconds + "s",
        "--timeout",
        "30s",
        "-s",
        script.toString(),
        url);
  }

  /** Reads what the script printed. */
  static HttpLoad.Figures parse(String output) {
    Matcher matcher = RESULT.matcher(output);
    if (!matcher.find()) {
      throw new CannotMeasureException("wrk printed no result: " + Programs.tail(output));
    }
    long requests = Long.parseLong(matcher.group(1));
    long errors = Long.parseLong(matcher.group(3));
    return new HttpLoad.Figures(
        requests - errors,
        Long.parseLong(matcher.group(2)) / 1e6,
        Double.parseDouble(matcher.group(4)),
        errors);
  }
}

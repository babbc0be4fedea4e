package dev.conveyor.verticles.http;

import io.vertx.core.json.JsonObject;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A camera: sends frames in chunks and reads events. Not thread-safe: owned by one test. */
final class StreamClient implements AutoCloseable {

  private static final int PATIENCE_MS = 60_000;

  /** What the server sent about a frame, or about the stream. */
  record Event(String name, JsonObject data) {

    double firstValue() {
      return data.getJsonArray("outputs").getJsonObject(0).getJsonArray("data").getDouble(0);
    }
  }

  private final Socket socket;
  private final OutputStream out;
  private final InputStream in;
  private final ByteArrayOutputStream events = new ByteArrayOutputStream();
  private final List<String> headers = new ArrayList<>();
  private int status = -1;
  private boolean over;

  private StreamClient(int port, String head) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(PATIENCE_MS);
    out = socket.getOutputStream();
    in = new BufferedInputStream(socket.getInputStream());
    out.write(head.getBytes(StandardCharsets.ISO_8859_1));
    out.flush();
  }

  static StreamClient raw(int port, String model, String headers) throws IOException {
    String query = "";
    String name = model;
    int question = model.indexOf('?');
    if (question >= 0) {
      query = model.substring(question);
      name = model.substring(0, question);
    }
    return new StreamClient(
        port,
        "POST /v2/models/%s/stream%s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n%s\r\n"
            .formatted(name, query, headers));
  }

  static StreamClient jpegs(int port, String model) throws IOException {
    return raw(port, model, "content-type: video/x-motion-jpeg\r\n");
  }

  static StreamClient multipart(int port, String model, String headers) throws IOException {
    return raw(
        port, model, headers + "content-type: multipart/x-mixed-replace; boundary=frame\r\n");
  }

  StreamClient send(byte[] bytes) throws IOException {
    out.write((Integer.toHexString(bytes.length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
    out.write(bytes);
    out.write("\r\n".getBytes(StandardCharsets.US_ASCII));
    out.flush();
    return this;
  }

  StreamClient part(byte[] bytes) throws IOException {
    ByteArrayOutputStream part = new ByteArrayOutputStream();
    part.writeBytes(
        ("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + bytes.length + "\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII));
    part.writeBytes(bytes);
    part.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
    return send(part.toByteArray());
  }

  void endParts() throws IOException {
    send("--frame--\r\n".getBytes(StandardCharsets.US_ASCII));
    endInput();
  }

  void endInput() throws IOException {
    out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    out.flush();
  }

  int status() throws IOException {
    if (status < 0) {
      status = Integer.parseInt(line().split(" ", -1)[1]);
      for (String header = line(); !header.isEmpty(); header = line()) {
        headers.add(header);
      }
    }
    return status;
  }

  /** Returns the lines of the answer's head. */
  List<String> headers() throws IOException {
    int unused = status();
    return headers;
  }

  /** Waits for the next event. */
  Event next() throws IOException {
    if (status() != 200) {
      throw new AssertionError("status " + status + ": " + rest());
    }
    while (true) {
      String text = events.toString(StandardCharsets.UTF_8);
      int end = text.indexOf("\n\n");
      if (end >= 0) {
        events.reset();
        events.writeBytes(text.substring(end + 2).getBytes(StandardCharsets.UTF_8));
        if (!text.startsWith(":")) {
          return event(text.substring(0, end));
        }
      }
      if (end < 0 && isOver()) {
        throw new AssertionError("the stream is over, with: " + text);
      }
    }
  }

  /** Waits for so many comments, with nothing else between them. */
  void rest(int comments) throws IOException {
    for (int i = 0; i < comments; i++) {
      events.reset();
      if (isOver() || !events.toString(StandardCharsets.UTF_8).startsWith(":")) {
        throw new AssertionError("no comment but: " + events.toString(StandardCharsets.UTF_8));
      }
    }
    events.reset();
  }

  /** Reads one more chunk; returns true if it was the last. */
  boolean isOver() throws IOException {
    if (!over) {
      int length = Integer.parseInt(line(), 16);
      events.writeBytes(in.readNBytes(length));
      over = length == 0;
      line();
    }
    return over;
  }

  String rest() throws IOException {
    return new String(in.readAllBytes(), StandardCharsets.UTF_8);
  }

  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }

  private static Event event(String text) {
    String name = "";
    JsonObject data = new JsonObject();
    for (String line : text.split("\n", -1)) {
      if (line.startsWith("event: ")) {
        name = line.substring("event: ".length());
      } else if (line.startsWith("data: ")) {
        data = new JsonObject(line.substring("data: ".length()));
      }
    }
    return new Event(name, data);
  }

  private String line() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
      line.append((char) b);
    }
    return line.toString().strip();
  }
}

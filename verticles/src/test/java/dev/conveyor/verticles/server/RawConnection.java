package dev.conveyor.verticles.server;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A TCP connection for bytes that no client would send. Not thread-safe: owned by one test. */
public final class RawConnection implements AutoCloseable {

  private static final int PATIENCE_MS = 60_000;

  private final Socket socket;
  private final OutputStream out;
  private final InputStream in;

  public RawConnection(int port) throws IOException {
    this.socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(PATIENCE_MS);
    this.out = socket.getOutputStream();
    this.in = new BufferedInputStream(socket.getInputStream());
  }

  public RawConnection send(String text) throws IOException {
    return send(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  public RawConnection send(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
    return this;
  }

  /** Sends what the server takes: one that refuses may hang up before it has read everything. */
  public RawConnection offer(String text) {
    try {
      return send(text);
    } catch (IOException e) {
      return this;
    }
  }

  /** Returns the status line of the answer; empty if the server closed the connection. */
  public String statusLine() {
    StringBuilder line = new StringBuilder();
    try {
      for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
        line.append((char) b);
      }
    } catch (IOException e) {
      return "";
    }
    return line.toString().strip();
  }

  /** Returns the body of the next answer, which must have a content-length. */
  public byte[] answer() throws IOException {
    int length = -1;
    for (String line = statusLine(); !line.isEmpty(); line = statusLine()) {
      if (line.startsWith("content-length:")) {
        length = Integer.parseInt(line.substring("content-length:".length()).strip());
      }
    }
    return in.readNBytes(length);
  }

  /** Returns everything up to the end of the connection. */
  public String rest() throws IOException {
    return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  /** Waits until the server closes the connection. */
  public void awaitClose() {
    try {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (java.net.SocketTimeoutException e) {
      throw new AssertionError("the server kept the connection open", e);
    } catch (IOException e) {
      // A reset closes it, too.
    }
  }

  /** Goes away without a word: the server sees a reset. */
  public void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}

package dev.conveyor.verticles.http;

import dev.conveyor.verticles.BodyWatch;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.LastHttpContent;
import org.jspecify.annotations.Nullable;

/**
 * Ends the patience with clients that send the head of a request byte by byte: each byte would
 * otherwise begin the idle time of the connection anew.
 *
 * <p>Thread-confined: the event loop of its connection. HTTP/1 only. A head that comes with one
 * read of the connection, as almost all do, costs two flags.
 */
final class HeadWatch extends ChannelInboundHandlerAdapter {

  private final BodyWatch watch;
  private boolean awaitsHead = true;
  private boolean begun;
  private BodyWatch.@Nullable Entry patience;

  /**
   * Creates the watch of one connection.
   *
   * @param watch of the event loop; its time is that of a head, from its first byte to its last
   */
  HeadWatch(BodyWatch watch) {
    this.watch = watch;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    begun |= awaitsHead;
    context.fireChannelRead(message);
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    if (begun && awaitsHead && patience == null) {
      patience =
          watch.begin(
              () -> {
                var unused = context.close();
              });
    }
    context.fireChannelReadComplete();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    end();
    context.fireChannelInactive();
  }

  /** Takes note of what the decoder made of the bytes. */
  void decoded(Object message) {
    if (message instanceof HttpRequest) {
      awaitsHead = false;
      begun = false;
      end();
    }
    if (message instanceof LastHttpContent) {
      awaitsHead = true;
    }
  }

  private void end() {
    if (patience != null) {
      watch.end(patience);
      patience = null;
    }
  }
}

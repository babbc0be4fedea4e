package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.Future;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class AcceptPaceTest {

  private static final int CONNECTIONS = 40;

  private final EventLoopGroup acceptors =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final AtomicInteger handedOver = new AtomicInteger();
  private final CountDownLatch all = new CountDownLatch(CONNECTIONS);
  private final CountDownLatch busy = new CountDownLatch(1);
  private final List<Socket> clients = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    busy.countDown();
    for (Socket client : clients) {
      client.close();
    }
    Future<?> first = acceptors.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    Future<?> second = loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    first.sync();
    second.sync();
  }

  @Test
  void shouldHandOverAFewConnectionsPerTurnOfTheLoopThatServesThem() throws Exception {
    Channel server = server();
    int port = ((InetSocketAddress) server.localAddress()).getPort();
    EventLoop loop = loops.next();
    loop.execute(() -> await(busy));

    for (int i = 0; i < CONNECTIONS; i++) {
      clients.add(new Socket(InetAddress.getLoopbackAddress(), port));
    }
    // The acceptor has looked at its socket with all of them there, and had the time to do it
    // again.
    for (int turn = 0; turn < 100; turn++) {
      server.eventLoop().submit(() -> {}).sync();
    }
    // What is accepted together is handed over together, also if others came before.
    assertThat(handedOver).hasPositiveValue().hasValueLessThan(2 * AcceptPace.AT_ONCE);

    busy.countDown();
    assertThat(all.await(60, TimeUnit.SECONDS)).as("all are served").isTrue();
    assertThat(handedOver).hasValue(CONNECTIONS);
  }

  private Channel server() throws InterruptedException {
    return new ServerBootstrap()
        .group(acceptors, loops)
        .channel(NioServerSocketChannel.class)
        .handler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel listener) {
                listener.pipeline().addLast(new AcceptPace(), new Counter());
              }
            })
        .childHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel connection) {
                all.countDown();
              }
            })
        .bind(InetAddress.getLoopbackAddress(), 0)
        .sync()
        .channel();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Sees what the acceptor hands over to the event loops. */
  private final class Counter extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object accepted) {
      handedOver.incrementAndGet();
      context.fireChannelRead(accepted);
    }
  }
}

package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class RefusedLaneTest {

  private final Deque<Runnable> turns = new ArrayDeque<>();
  private long nowNs = 42;
  private final RefusedLane lane = new RefusedLane(() -> nowNs, turns::add);

  private record Connection(EmbeddedChannel channel, RefusedLane.Gate gate) {

    void sends(int value) {
      channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {(byte) value}));
    }

    List<Integer> seen() {
      List<Integer> seen = new ArrayList<>();
      for (ByteBuf part = channel.readInbound(); part != null; part = channel.readInbound()) {
        seen.add((int) part.readByte());
        part.release();
      }
      return seen;
    }
  }

  private Connection connection() {
    RefusedLane.Gate gate = lane.gate();
    return new Connection(new EmbeddedChannel(gate), gate);
  }

  private Connection refusedConnection() {
    Connection connection = connection();
    connection.gate().refused();
    return connection;
  }

  private void turn() {
    turns.remove().run();
  }

  @Test
  void shouldLetPassAtOnceWhatAnUnrefusedConnectionSends() {
    Connection behaved = connection();
    refusedConnection().sends(1);
    behaved.sends(2);
    assertThat(behaved.seen()).containsExactly(2);
  }

  @Test
  void shouldHoldWhatARefusedConnectionSendsUntilTheNextTurnInItsOrder() {
    Connection refused = refusedConnection();
    refused.sends(1);
    refused.sends(2);
    assertThat(refused.seen()).isEmpty();
    turn();
    assertThat(refused.seen()).containsExactly(1, 2);
    assertThat(turns).isEmpty();
  }

  @Test
  void shouldGiveOnlySomeConnectionsATurnBeforeOthersAreLookedAt() {
    List<Connection> all = new ArrayList<>();
    for (int i = 0; i < RefusedLane.PER_TURN + 1; i++) {
      all.add(refusedConnection());
      all.get(i).sends(i);
    }
    turn();
    assertThat(all.get(RefusedLane.PER_TURN - 1).seen()).hasSize(1);
    assertThat(all.get(RefusedLane.PER_TURN).seen()).isEmpty();
    turn();
    assertThat(all.get(RefusedLane.PER_TURN).seen()).hasSize(1);
    assertThat(turns).isEmpty();
  }

  @Test
  void shouldForgetARefusalAfterASecond() {
    Connection refused = refusedConnection();
    nowNs += TimeUnit.SECONDS.toNanos(1) - 1;
    refused.sends(1);
    assertThat(refused.seen()).isEmpty();
    turn();
    assertThat(refused.seen()).containsExactly(1);
    nowNs++;
    refused.sends(2);
    assertThat(refused.seen()).containsExactly(2);
  }

  @Test
  void shouldStopReadingWhereMuchWaitsAndGoOnAfterItsTurn() {
    Connection refused = refusedConnection();
    refused.channel().writeInbound(Unpooled.wrappedBuffer(new byte[256 * 1024 - 1]));
    assertThat(refused.channel().config().isAutoRead()).isTrue();
    refused.sends(1);
    assertThat(refused.channel().config().isAutoRead()).isFalse();
    turn();
    assertThat(refused.channel().config().isAutoRead()).isTrue();
    assertThat(refused.channel().inboundMessages()).hasSize(2);
    refused.channel().releaseInbound();
  }

  @Test
  void shouldLeaveAConnectionUnreadIfWhatItSentMadeSomebodyStopReading() {
    Connection refused = refusedConnection();
    refused
        .channel()
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                context.channel().config().setAutoRead(false);
                context.fireChannelRead(message);
              }
            });
    refused.channel().writeInbound(Unpooled.wrappedBuffer(new byte[256 * 1024]));
    turn();
    assertThat(refused.channel().config().isAutoRead()).isFalse();
    refused.channel().releaseInbound();
  }

  @Test
  void shouldHandOnWhatAClosedConnectionHasSent() {
    Connection refused = refusedConnection();
    refused.sends(1);
    boolean unused = refused.channel().close().awaitUninterruptibly(1, TimeUnit.SECONDS);
    assertThat(refused.seen()).containsExactly(1);
    turn();
    assertThat(turns).isEmpty();
  }
}

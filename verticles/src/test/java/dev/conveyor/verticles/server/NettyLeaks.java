package dev.conveyor.verticles.server;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** Hears what Netty's leak detector says. Thread-safe. */
public final class NettyLeaks extends AppenderBase<ILoggingEvent> implements AutoCloseable {

  private static final int LOOKS = 3;
  private static final int BUFFERS_PER_LOOK = 64;

  private final List<String> reports = new CopyOnWriteArrayList<>();
  private final Logger logger = (Logger) LoggerFactory.getLogger(ResourceLeakDetector.class);

  private NettyLeaks() {}

  /** Begins to listen. */
  public static NettyLeaks listen() {
    NettyLeaks leaks = new NettyLeaks();
    leaks.setContext(leaks.logger.getLoggerContext());
    leaks.start();
    leaks.logger.addAppender(leaks);
    return leaks;
  }

  /** Returns what was reported so far. */
  List<String> heard() {
    return List.copyOf(reports);
  }

  /** Returns what was reported so far, having made the detector look. */
  public List<String> reports() {
    for (int i = 0; i < LOOKS && reports.isEmpty(); i++) {
      System.gc();
      // The detector reports when it is asked to follow a new buffer.
      for (int j = 0; j < BUFFERS_PER_LOOK; j++) {
        PooledByteBufAllocator.DEFAULT.directBuffer(16).release();
      }
    }
    return List.copyOf(reports);
  }

  @Override
  protected void append(ILoggingEvent event) {
    if (event.getFormattedMessage().contains("LEAK")) {
      reports.add(event.getFormattedMessage());
    }
  }

  @Override
  public void close() {
    logger.detachAppender(this);
  }
}

package dev.conveyor.models.tensorrt;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** A thread that is there while there is something to build; the program does not wait for it. */
final class BuildThread implements Executor {

  private static final int IDLE_SECONDS = 1;

  private final ThreadPoolExecutor pool =
      new ThreadPoolExecutor(
          1,
          1,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          work -> {
            Thread thread = new Thread(work, "tensorrt-build");
            thread.setDaemon(true);
            return thread;
          });

  BuildThread() {
    pool.allowCoreThreadTimeOut(true);
  }

  @Override
  public void execute(Runnable work) {
    pool.execute(work);
  }
}

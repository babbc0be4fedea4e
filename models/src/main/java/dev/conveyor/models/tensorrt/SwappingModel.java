package dev.conveyor.models.tensorrt;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model that one backend serves while another is still at work on a better form of it. Once that
 * is there, each engine changes over between two batches: every batch is computed by one of them,
 * whole.
 *
 * <p>Thread-safe. If the better form fails, or takes or gives anything else than the first, what
 * serves goes on serving. Closing while it is being made does not wait: whoever makes it is told to
 * stop, and what is made all the same is closed as soon as it is there.
 */
final class SwappingModel implements DeviceModel {

  private static final Logger log = LoggerFactory.getLogger(SwappingModel.class);

  private final String owner;
  private final DeviceModel first;
  private final long allowanceBytes;

  @GuardedBy("this")
  private @Nullable DeviceModel better;

  @GuardedBy("this")
  private boolean closed;

  /**
   * Begins.
   *
   * @param owner model and version, for the log
   * @param first serves at once; closed with this
   * @param allowanceBytes most scratch memory that an engine of the better form takes
   * @param better makes the better form, and may ask whether nobody wants it any more; closed with
   *     this, once it is there
   * @param executor runs {@code better}, off the threads that serve
   */
  SwappingModel(
      String owner,
      DeviceModel first,
      long allowanceBytes,
      Function<BooleanSupplier, ? extends DeviceModel> better,
      Executor executor) {
    this.owner = owner;
    this.first = first;
    this.allowanceBytes = allowanceBytes;
    executor.execute(() -> make(better));
  }

  private void make(Function<BooleanSupplier, ? extends DeviceModel> maker) {
    synchronized (this) {
      if (closed) {
        return;
      }
    }
    DeviceModel made;
    try {
      made = maker.apply(this::isClosed);
    } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
      if (isClosed()) {
        log.info("{}: unloaded before its engine was built", owner);
        return;
      }
      log.warn(
          "{}: stays with what serves it, the engine cannot be built: {}", owner, e.toString());
      return;
    }
    String difference =
        EngineTensors.difference(new Declared(first.inputs(), first.outputs()), made);
    if (difference != null) {
      made.close();
      log.warn("{}: stays with what serves it: {}", owner, difference);
      return;
    }
    boolean late;
    synchronized (this) {
      late = closed;
      if (!late) {
        better = made;
      }
    }
    if (late) {
      made.close();
    } else {
      log.info("{}: the engine is built and takes over", owner);
    }
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  /** Returns the better form if it is there. */
  synchronized @Nullable DeviceModel better() {
    return better;
  }

  @Override
  public List<TensorSpec> inputs() {
    return first.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return first.outputs();
  }

  @Override
  public synchronized long reservedBytes() {
    return first.reservedBytes() + (better == null ? 0 : better.reservedBytes());
  }

  @Override
  public long scratchBytes(DeviceLayout layout) {
    return first.scratchBytes(layout) + allowanceBytes;
  }

  @Override
  public boolean takesVaryingShapes() {
    return first.takesVaryingShapes();
  }

  @Override
  public DeviceEngine newEngine(EngineSite site) {
    DeviceModel now = better();
    if (now == null) {
      return new SwappingEngine(this, first.newEngine(site), site);
    }
    try {
      return now.newEngine(site);
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      return fallBack(site, e);
    } catch (BudgetExceededException | ModelLoadException e) {
      return fallBack(site, e);
    }
  }

  /** An instance that is made later than the better form is served as those that were there. */
  private DeviceEngine fallBack(EngineSite site, RuntimeException why) {
    log.warn("{}: an instance starts with what served first: {}", owner, why.getMessage());
    return first.newEngine(site);
  }

  @Override
  public void close() {
    DeviceModel made;
    synchronized (this) {
      closed = true;
      made = better;
      better = null;
    }
    try {
      if (made != null) {
        made.close();
      }
    } finally {
      first.close();
    }
  }
}

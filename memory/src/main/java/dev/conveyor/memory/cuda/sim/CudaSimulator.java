package dev.conveyor.memory.cuda.sim;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaLibraries;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The simulated CUDA runtime of this JVM and what controls it.
 *
 * <p>Thread-safe; but there is one, so tests that use it do not run at the same time. It takes the
 * place of the real runtime in the process: a library that is loaded under the name {@code
 * libcudart.so.13} is what the binding is then linked to. Nothing of the binding is replaced.
 */
public final class CudaSimulator {

  private static final int REPORT_BYTES = 1 << 16;

  private static @Nullable CudaSimulator started;
  private static @Nullable String refusal;

  private final Path directory;
  private final Cuda cuda;
  private final Control control;
  private final Jpegs jpegs;
  private @Nullable JpegFunction decoder;

  private CudaSimulator(Path directory, Cuda cuda, Control control, Jpegs jpegs) {
    this.directory = directory;
    this.cuda = cuda;
    this.control = control;
    this.jpegs = jpegs;
  }

  /** How an injected fault shows. */
  public enum Fault {
    /** The call returns the error, once, and does nothing. */
    RETURNED,
    /** The call returns the error, and so does every later one: the device is lost. */
    STICKY,
    /** The call succeeds; what it enqueued fails when it runs, and the device is lost. */
    RUNNING,
    /** The call succeeds; what it enqueued never ends. */
    HANGING
  }

  /** What the simulator counts; of one device where it says so, since the last reset. */
  public enum Figure {
    /** Nanoseconds in which the device's compute engine was at work. */
    COMPUTE_BUSY_NS,
    TO_DEVICE_BUSY_NS,
    TO_HOST_BUSY_NS,
    /** From the first work of the device to the end of the last. */
    SPAN_NS,
    CALLS,
    ASYNC_COPIES,
    /** Copies from or to memory that is not pinned. */
    PAGEABLE_COPIES,
    /** Bytes that were copied from the host to devices. */
    TO_DEVICE_BYTES,
    /** Bytes that were copied from devices to the host. */
    TO_HOST_BYTES,
    /** Bytes that were copied from one place of a device to another. */
    ON_DEVICE_BYTES,
    /** Bytes that were copied straight from one device to another. */
    PEER_BYTES,
    /** Bytes that were copied from one device to another by way of the host, in one call. */
    STAGED_BYTES,
    KERNELS,
    /** Calls of {@code cudaStreamWaitEvent}. */
    WAITS,
    /** Graphs that were launched. */
    GRAPHS,
    /** Streams that were created with the highest priority. */
    URGENT_STREAMS,
    /** Bytes of the device that are allocated. */
    LIVE_BYTES,
    /** Bytes of the device that are allocated or kept in pools. */
    TAKEN_BYTES,
    PINNED_BYTES,
    /** The host's clock. */
    HOST_NS,
    /** Threads that wait for work which cannot end. */
    WAITERS,
    /** The error with which the device was lost; 0 if it was not. */
    LOST
  }

  /**
   * Builds and loads it, once; it then is as after {@link #reset} with no settings. In a process
   * that was started by one that {@link #offer}s its own, that is loaded instead, with those
   * settings.
   *
   * @throws SimulatorUnavailableException if this machine cannot
   */
  public static synchronized CudaSimulator start() {
    if (refusal != null) {
      throw new SimulatorUnavailableException(refusal);
    }
    if (started == null) {
      try {
        Path inherited = SimulatorBuild.inherited();
        started = inherited == null ? load(SimulatorBuild.build(), true) : load(inherited, false);
      } catch (SimulatorUnavailableException e) {
        refusal = String.valueOf(e.getMessage());
        throw e;
      }
    }
    return started;
  }

  private static CudaSimulator load(Path directory, boolean anew) {
    for (String library : SimulatorBuild.LIBRARIES) {
      System.load(directory.resolve(library).toString());
    }
    List<String> libraries = SimulatorBuild.LIBRARIES;
    String runtime = directory.resolve(libraries.get(libraries.size() - 1)).toString();
    Control control = Native.load(runtime, Control.class);
    if (anew) {
      control.cudaSimReset("devices=1");
    }
    CudaLibraries.Found found = CudaLibraries.find();
    if (found.cuda() == null) {
      throw new SimulatorUnavailableException(found.reason());
    }
    Native.register(CudaSimulator.class, runtime);
    for (String library : SimulatorBuild.TOOLKIT) {
      System.load(directory.resolve(library).toString());
    }
    Jpegs jpegs = Native.load(directory.resolve("libnvjpeg.so.13").toString(), Jpegs.class);
    return new CudaSimulator(directory, found.cuda(), control, jpegs);
  }

  /**
   * Has processes that are started from now on, with the property {@link
   * CudaLibraries#PATH_PROPERTY} of this one, find this simulator in the place of a driver and a
   * runtime; each simulates a device of its own. Until {@link #withdraw}.
   *
   * @param settings as for {@link #reset}
   */
  public void offer(String settings) {
    write(SimulatorBuild.SETTINGS, settings);
    System.setProperty(CudaLibraries.PATH_PROPERTY, directory.toString());
  }

  /** Ends that, for processes that are not started yet. */
  public void withdraw() {
    System.clearProperty(CudaLibraries.PATH_PROPERTY);
    try {
      Files.deleteIfExists(directory.resolve(SimulatorBuild.SETTINGS));
      Files.deleteIfExists(directory.resolve(SimulatorBuild.FAULT));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * As {@link #inject}, in the first of the processes that this one {@link #offer}ed it to that
   * makes a call from now on, any call.
   */
  public void injectElsewhere(String call, long nth, int error, Fault fault) {
    write(SimulatorBuild.FAULT, "%s %d %d %s".formatted(call, nth, error, fault.name()));
  }

  /** Returns whether a process has taken the fault that was injected elsewhere last. */
  public boolean isInjectedElsewhere() {
    return !Files.exists(directory.resolve(SimulatorBuild.FAULT));
  }

  /** There whole or not at all: another process may look at any time. */
  private void write(String name, String text) {
    try {
      Path part = Files.writeString(directory.resolve(name + ".part"), text);
      Files.move(part, directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the runtime. */
  public Cuda cuda() {
    return cuda;
  }

  /**
   * Begins anew, as a new process would: nothing is allocated, nothing has failed. Threads that
   * wait for work that cannot end are released with an error.
   *
   * @param settings {@code key=value}, separated by spaces: seed, devices (GPUs of the machine),
   *     mig (slices that the last of them is cut into), visible (in the place of {@code
   *     CUDA_VISIBLE_DEVICES}), capability (10 * major + minor), driver (its CUDA version),
   *     nvml_error, utilization (percent), sm_activity (percent), power_mw, temperature,
   *     device_bytes, real_time (1: operations take the time that they cost), latency_ns (longest
   *     random delay before an operation), jitter_percent (how much longer than its cost it may
   *     take), call_ns (the host's time per call), copy_ns, to_device_mb_s, to_host_mb_s, no_data
   *     (1: nothing is copied)
   */
  public void reset(String settings) {
    control.cudaSimReset(settings);
  }

  /** Has what hangs end after all, as if it had only been slow. */
  public void resume() {
    control.cudaSimResume();
  }

  /**
   * Has the simulated nvJPEG decode with a function of the host; without one it refuses every
   * image. The pixels reach the device when their stream gets there.
   */
  public synchronized void decodeJpegs(JpegFunction function) {
    decoder = function; // Native code does not keep it from being collected.
    jpegs.nvjpegSimDecoder(function);
  }

  /**
   * Has a call go wrong.
   *
   * @param call name of the runtime's function, or {@code *}
   * @param nth of its next calls, the next one being 0
   * @param error number of the error; unused for {@link Fault#HANGING}
   */
  public void inject(String call, long nth, int error, Fault fault) {
    if (control.cudaSimInject(call, nth, error, fault.name()) != 0) {
      throw new IllegalStateException("too many faults are injected already");
    }
  }

  public void forgetFaults() {
    control.cudaSimForgetFaults();
  }

  public long figure(int device, Figure figure) {
    return control.cudaSimFigure(device, figure.name());
  }

  /** Returns what was done wrong so far, a line each; empty if nothing was. */
  public String violations() {
    return report(false);
  }

  /** Returns what was done wrong, and as such also what is still allocated or not destroyed. */
  public String violationsAndLeaks() {
    return report(true);
  }

  private String report(boolean withLeaks) {
    byte[] text = new byte[REPORT_BYTES];
    int count = control.cudaSimReport(withLeaks ? 1 : 0, text, text.length);
    return count == 0 ? "" : Native.toString(text, StandardCharsets.UTF_8.name());
  }

  /**
   * Enqueues the test kernel: for each item, word {@code w} of the output is word {@code w mod n}
   * of its n input words, rotated left by 7, plus {@code w}; see {@link TestKernel}.
   *
   * @param ready where on the device its context says, in 64 bits, for how many items it was made
   *     ready; for others it computes nothing right. 0 if it has none
   * @return a CUDA status
   */
  static native int cudaSimLaunch(
      long stream,
      int items,
      long in,
      long inItemBytes,
      long out,
      long outItemBytes,
      long costNs,
      long ready);

  /** Decodes a JPEG for the simulated nvJPEG; on the thread that asks for it. */
  public interface JpegFunction extends Callback {

    /**
     * Writes the pixels, rows without gaps, blue first, or luma if there is one channel.
     *
     * @return 0 if it could
     */
    int decode(Pointer data, long bytes, int channels, Pointer pixels, long room);
  }

  /** The function of {@code nvjpeg.c} that is not NVIDIA's. Public because JNA implements it. */
  public interface Jpegs extends Library {
    void nvjpegSimDecoder(JpegFunction function);
  }

  /** The functions of {@code control.c}. Public because JNA implements it. */
  public interface Control extends Library {
    void cudaSimReset(String settings);

    void cudaSimResume();

    int cudaSimInject(String call, long nth, int error, String mode);

    void cudaSimForgetFaults();

    int cudaSimReport(int withLeaks, byte[] text, int room);

    long cudaSimFigure(int device, String name);
  }
}

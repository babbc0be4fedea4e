package dev.conveyor.memory.cuda;

import static org.bytedeco.cuda.global.cudart.*;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.bytedeco.cuda.cudart.CUuuid;
import org.bytedeco.cuda.cudart.cudaMemAccessDesc;
import org.bytedeco.cuda.cudart.cudaMemPoolProps;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * The CUDA runtime through JavaCPP's binding. Thread-safe.
 *
 * <p>The binding takes its arguments as objects that hold an address. Each thread keeps a set of
 * them and points them at what a call is about, because a batch makes dozens of calls.
 */
final class CudaRuntime implements Cuda {

  private static final int CAPTURE_MODE_THREAD_LOCAL = 1;
  private static final int ATTRIBUTE_MAJOR = 75;
  private static final int ATTRIBUTE_MINOR = 76;

  private final ThreadLocal<CudaArguments> arguments = ThreadLocal.withInitial(CudaArguments::new);

  @Override
  public int deviceCount() {
    int[] count = new int[1];
    check("cudaGetDeviceCount", cudaGetDeviceCount(count));
    return count[0];
  }

  @Override
  public void useDevice(int device) {
    check("cudaSetDevice", cudaSetDevice(device));
  }

  @Override
  public int driverVersion() {
    int[] version = new int[1];
    check("cudaDriverGetVersion", cudaDriverGetVersion(version));
    return version[0];
  }

  @Override
  public int computeCapability(int device) {
    return 10 * attribute(ATTRIBUTE_MAJOR, device) + attribute(ATTRIBUTE_MINOR, device);
  }

  private static int attribute(int attribute, int device) {
    int[] value = new int[1];
    check("cudaDeviceGetAttribute", cudaDeviceGetAttribute(value, attribute, device));
    return value[0];
  }

  @Override
  public String uuid(int device) {
    try (CUuuid uuid = new CUuuid()) {
      check("cuDeviceGetUuid", cuDeviceGetUuid(uuid, device));
      byte[] bytes = new byte[16];
      uuid.bytes().get(bytes);
      ByteBuffer big = ByteBuffer.wrap(bytes);
      return new UUID(big.getLong(), big.getLong()).toString();
    }
  }

  @Override
  public String name(int device) {
    byte[] name = new byte[256];
    check("cuDeviceGetName", cuDeviceGetName(name, name.length, device));
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, StandardCharsets.UTF_8);
  }

  @Override
  public long totalBytes(int device) {
    try (SizeTPointer bytes = new SizeTPointer(1)) {
      check("cuDeviceTotalMem", cuDeviceTotalMem(bytes, device));
      return bytes.get();
    }
  }

  @Override
  public long freeBytes() {
    return memoryInfo(true);
  }

  @Override
  public long totalBytes() {
    return memoryInfo(false);
  }

  private static long memoryInfo(boolean free) {
    try (SizeTPointer freeBytes = new SizeTPointer(1);
        SizeTPointer totalBytes = new SizeTPointer(1)) {
      check("cudaMemGetInfo", cudaMemGetInfo(freeBytes, totalBytes));
      return free ? freeBytes.get() : totalBytes.get();
    }
  }

  @Override
  public long newStream(int priority) {
    int[] least = new int[1];
    int[] greatest = new int[1];
    check("cudaDeviceGetStreamPriorityRange", cudaDeviceGetStreamPriorityRange(least, greatest));
    CudaArguments.StreamArgument made = arguments.get().stream.at(0);
    // Lower numbers go first in CUDA.
    int wanted = Math.max(greatest[0], least[0] - priority);
    check(
        "cudaStreamCreateWithPriority",
        cudaStreamCreateWithPriority(made, cudaStreamNonBlocking, wanted));
    return made.address();
  }

  @Override
  public void destroyStream(long stream) {
    check("cudaStreamDestroy", cudaStreamDestroy(arguments.get().stream.at(stream)));
  }

  @Override
  public void awaitStream(long stream) {
    check("cudaStreamSynchronize", cudaStreamSynchronize(arguments.get().stream.at(stream)));
  }

  @Override
  public long newEvent() {
    CudaArguments.EventArgument made = arguments.get().event.at(0);
    check("cudaEventCreateWithFlags", cudaEventCreateWithFlags(made, cudaEventBlockingSync));
    return made.address();
  }

  @Override
  public void destroyEvent(long event) {
    check("cudaEventDestroy", cudaEventDestroy(arguments.get().event.at(event)));
  }

  @Override
  public void record(long event, long stream) {
    CudaArguments a = arguments.get();
    check("cudaEventRecord", cudaEventRecord(a.event.at(event), a.stream.at(stream)));
  }

  @Override
  public void waitFor(long event, long stream) {
    CudaArguments a = arguments.get();
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(a.stream.at(stream), a.event.at(event), 0));
  }

  @Override
  public boolean isComplete(long event) {
    int status = cudaEventQuery(arguments.get().event.at(event));
    if (status == cudaErrorNotReady) {
      int unused = cudaGetLastError(); // Not an error, but kept as the last one all the same.
      return false;
    }
    check("cudaEventQuery", status);
    return true;
  }

  @Override
  public void awaitEvent(long event) {
    check("cudaEventSynchronize", cudaEventSynchronize(arguments.get().event.at(event)));
  }

  @Override
  public long elapsedNs(long from, long to) {
    CudaArguments a = arguments.get();
    check(
        "cudaEventElapsedTime",
        cudaEventElapsedTime(a.milliseconds, a.event.at(from), a.otherEvent.at(to)));
    return Math.round(a.milliseconds[0] * 1e6);
  }

  @Override
  public long newPool(int device, long maxBytes) {
    try (cudaMemPoolProps props = new cudaMemPoolProps();
        LongPointer threshold = new LongPointer(1)) {
      Pointer.memset(props, 0, props.sizeof());
      props.allocType(cudaMemAllocationTypePinned).handleTypes(cudaMemHandleTypeNone);
      props.location().type(cudaMemLocationTypeDevice).id(device);
      props.maxSize(maxBytes);
      CudaArguments.PoolArgument made = arguments.get().pool.at(0);
      check("cudaMemPoolCreate", cudaMemPoolCreate(made, props));
      long pool = made.address();
      threshold.put(Long.MAX_VALUE); // Keep what is freed, until trimPool.
      int status = cudaMemPoolSetAttribute(made, cudaMemPoolAttrReleaseThreshold, threshold);
      if (status != cudaSuccess) {
        int unused = cudaMemPoolDestroy(made);
      }
      check("cudaMemPoolSetAttribute", status);
      return pool;
    }
  }

  @Override
  public boolean canAccessPeer(int device, int peer) {
    int[] can = new int[1];
    check("cudaDeviceCanAccessPeer", cudaDeviceCanAccessPeer(can, device, peer));
    return can[0] != 0;
  }

  @Override
  public void openPool(long pool, int device) {
    try (cudaMemAccessDesc access = new cudaMemAccessDesc()) {
      access.location().type(cudaMemLocationTypeDevice).id(device);
      access.flags(cudaMemAccessFlagsProtReadWrite);
      check("cudaMemPoolSetAccess", cudaMemPoolSetAccess(arguments.get().pool.at(pool), access, 1));
    }
  }

  @Override
  public void destroyPool(long pool) {
    check("cudaMemPoolDestroy", cudaMemPoolDestroy(arguments.get().pool.at(pool)));
  }

  @Override
  public void trimPool(long pool, long keepBytes) {
    check("cudaMemPoolTrimTo", cudaMemPoolTrimTo(arguments.get().pool.at(pool), keepBytes));
  }

  @Override
  public long takenBytes(long pool) {
    try (LongPointer value = new LongPointer(1)) {
      check(
          "cudaMemPoolGetAttribute",
          cudaMemPoolGetAttribute(
              arguments.get().pool.at(pool), cudaMemPoolAttrReservedMemCurrent, value));
      return value.get();
    }
  }

  @Override
  public long allocate(long pool, long bytes, long stream) {
    CudaArguments a = arguments.get();
    check(
        "cudaMallocFromPoolAsync",
        cudaMallocFromPoolAsync(a.to.at(0), bytes, a.pool.at(pool), a.stream.at(stream)));
    return a.to.address();
  }

  @Override
  public void free(long address, long stream) {
    CudaArguments a = arguments.get();
    check("cudaFreeAsync", cudaFreeAsync(a.to.at(address), a.stream.at(stream)));
  }

  @Override
  public void beginCapture(long stream) {
    check(
        "cudaStreamBeginCapture",
        cudaStreamBeginCapture(arguments.get().stream.at(stream), CAPTURE_MODE_THREAD_LOCAL));
  }

  @Override
  public long endCapture(long stream) {
    CudaArguments a = arguments.get();
    check("cudaStreamEndCapture", cudaStreamEndCapture(a.stream.at(stream), a.graph.at(0)));
    int status = cudaGraphInstantiate(a.executable.at(0), a.graph, 0);
    int unused = cudaGraphDestroy(a.graph);
    check("cudaGraphInstantiate", status);
    return a.executable.address();
  }

  @Override
  public void launchGraph(long graph, long stream) {
    CudaArguments a = arguments.get();
    check("cudaGraphLaunch", cudaGraphLaunch(a.executable.at(graph), a.stream.at(stream)));
  }

  @Override
  public void destroyGraph(long graph) {
    check("cudaGraphExecDestroy", cudaGraphExecDestroy(arguments.get().executable.at(graph)));
  }

  @Override
  public long allocatePinned(long bytes) {
    CudaArguments.Address made = arguments.get().to.at(0);
    check("cudaHostAlloc", cudaHostAlloc(made, bytes, cudaHostAllocPortable));
    return made.address();
  }

  @Override
  public void freePinned(long address) {
    check("cudaFreeHost", cudaFreeHost(arguments.get().to.at(address)));
  }

  @Override
  public void pin(long address, long bytes) {
    check(
        "cudaHostRegister",
        cudaHostRegister(arguments.get().to.at(address), bytes, cudaHostRegisterPortable));
  }

  @Override
  public void unpin(long address) {
    check("cudaHostUnregister", cudaHostUnregister(arguments.get().to.at(address)));
  }

  @Override
  public void copyToDevice(long device, long host, long bytes, long stream) {
    copy(device, host, bytes, cudaMemcpyHostToDevice, stream);
  }

  @Override
  public void copyToHost(long host, long device, long bytes, long stream) {
    copy(host, device, bytes, cudaMemcpyDeviceToHost, stream);
  }

  @Override
  public void copyOnDevice(long to, long from, long bytes, long stream) {
    copy(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
  }

  @Override
  public void copyFromPeer(
      long to, int toDevice, long from, int fromDevice, long bytes, long stream) {
    CudaArguments a = arguments.get();
    check(
        "cudaMemcpyPeerAsync",
        cudaMemcpyPeerAsync(
            a.to.at(to), toDevice, a.from.at(from), fromDevice, bytes, a.stream.at(stream)));
  }

  private void copy(long to, long from, long bytes, int kind, long stream) {
    CudaArguments a = arguments.get();
    check(
        "cudaMemcpyAsync",
        cudaMemcpyAsync(a.to.at(to), a.from.at(from), bytes, kind, a.stream.at(stream)));
  }

  private static void check(String call, int status) {
    if (status != cudaSuccess) {
      int unused = cudaGetLastError(); // Or whoever asks next takes it for an error of theirs.
      BytePointer name = cudaGetErrorName(status);
      throw new CudaException(call, status, name == null ? "unknown error" : name.getString());
    }
  }
}

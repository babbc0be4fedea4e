package dev.conveyor.models.tensorrt;

import dev.conveyor.memory.Natives;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.tensorrt.global.nvinfer;
import org.bytedeco.tensorrt.global.nvinfer_plugin;
import org.bytedeco.tensorrt.global.nvonnxparser;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.ILogger;
import org.bytedeco.tensorrt.nvinfer.IRuntime;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The library as such: whether it is there, what it says, and its types. Thread-safe. */
final class TensorRt {

  private static final Logger log = LoggerFactory.getLogger(TensorRt.class);

  static {
    Natives.ready();
  }

  private TensorRt() {}

  /** One per process: the library keeps the logger that it is given first. */
  private static final class Holder {
    static final Log LOGGER = new Log();

    /** Never deleted: engines need it as long as there may be one. */
    static final IRuntime RUNTIME = runtime();

    private static IRuntime runtime() {
      boolean unused = nvinfer_plugin.initLibNvInferPlugins(LOGGER, "");
      return nvinfer.createInferRuntime(LOGGER);
    }
  }

  /** Returns why the library cannot be used, in one line; empty if it can. */
  static String unavailable() {
    try {
      String unused = Loader.load(nvinfer.class);
      String unusedToo = Loader.load(nvonnxparser.class);
      String unusedAsWell = Loader.load(nvinfer_plugin.class);
      return "";
    } catch (LinkageError e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      return "TensorRT 10, or a library that it needs, cannot be loaded: " + cause.getMessage();
    }
  }

  /** Returns the version, 10,000 * major + 100 * minor + patch. */
  static int version() {
    return nvinfer.getInferLibVersion();
  }

  static ILogger logger() {
    return Holder.LOGGER;
  }

  static IRuntime runtime() {
    return Holder.RUNTIME;
  }

  /** Returns the error that the library has told last, to go with a call that failed. */
  static String lastError() {
    return Holder.LOGGER.last;
  }

  /** Returns the protocol's type for one of TensorRT's; empty if it has none. */
  static Optional<DataType> type(nvinfer.DataType type) {
    return Optional.ofNullable(
        switch (type.intern()) {
          case kFLOAT -> DataType.FP32;
          case kHALF -> DataType.FP16;
          case kBF16 -> DataType.BF16;
          case kINT8 -> DataType.INT8;
          case kUINT8 -> DataType.UINT8;
          case kINT32 -> DataType.INT32;
          case kINT64 -> DataType.INT64;
          case kBOOL -> DataType.BOOL;
          default -> null;
        });
  }

  static Shape shape(Dims64 dims) {
    long[] shape = new long[dims.nbDims()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dims.d(i);
    }
    return Shape.of(shape);
  }

  static Dims64 dims(Shape shape) {
    Dims64 dims = new Dims64();
    dims.nbDims(shape.rank());
    for (int i = 0; i < shape.rank(); i++) {
      dims.d(i, shape.dim(i));
    }
    return dims;
  }

  /** What the library has to say goes where everything goes. */
  private static final class Log extends ILogger {

    private volatile String last = "no reason given";

    @Override
    public void log(Severity severity, String message) {
      switch (severity.intern()) {
        case kINTERNAL_ERROR, kERROR -> {
          last = message;
          log.error("TensorRT: {}", message);
        }
        case kWARNING -> log.warn("TensorRT: {}", message);
        case kINFO -> log.debug("TensorRT: {}", message);
        case kVERBOSE -> log.trace("TensorRT: {}", message);
      }
    }
  }
}

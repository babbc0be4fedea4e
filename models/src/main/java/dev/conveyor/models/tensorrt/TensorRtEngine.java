package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.Contexts;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.EngineSite;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IExecutionContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The execution contexts of one instance, and their scratch memory, which they share.
 * Thread-confined: the thread that submits.
 *
 * <p>For CUDA graphs if it is asked for: when shapes change, TensorRT also works on the host, which
 * a graph does not repeat, so what is captured must follow an execution of as many items in the
 * same context; see {@link Contexts}.
 */
final class TensorRtEngine implements DeviceEngine {

  private static final Logger log = LoggerFactory.getLogger(TensorRtEngine.class);
  private static final int LAYERS_TOLD = 10;

  private final String name;
  private final Supplier<IExecutionContext> maker;
  private final Contexts<Context> contexts;
  private final EngineSite site;
  private final long scratchBytes;
  private final long scratch;
  private final List<BytePointer> inputNames = new ArrayList<>();
  private final List<BytePointer> outputNames = new ArrayList<>();
  private final Dims64[][] inputDims;
  private final Address address = new Address(0);
  private final Stream stream = new Stream();
  private final LayerTimes times = new LayerTimes();
  private final boolean graphs;
  private final @Nullable NativeProfiler profiler;

  /**
   * Takes scratch memory from the site's pool.
   *
   * @param contexts makes an execution context that has no memory of its own; closed with this
   * @param declared inputs of the engine with their dynamic dimensions
   */
  TensorRtEngine(
      String name,
      Supplier<IExecutionContext> contexts,
      EngineSite site,
      List<TensorSpec> declared,
      long scratchBytes,
      EngineOptions options) {
    this.name = name;
    this.graphs = options.graphs();
    this.maker = contexts;
    this.contexts = new Contexts<>(graphs, () -> new Context(), Context::close);
    this.site = site;
    this.scratchBytes = scratchBytes;
    DeviceLayout layout = site.layout();
    layout.inputs().forEach(input -> inputNames.add(new BytePointer(input.name())));
    layout.outputs().forEach(output -> outputNames.add(new BytePointer(output.name())));
    this.inputDims = dims(layout, declared);
    this.scratch = scratchBytes == 0 ? 0 : site.pool().allocate(scratchBytes, site.stream());
    site.cuda().awaitStream(site.stream());
    this.profiler = options.layerTimes() ? new NativeProfiler(times) : null;
  }

  /**
   * Makes the first context.
   *
   * @throws ModelLoadException if there can be none
   */
  void prepare() {
    contexts.prepare();
  }

  /** For every batch size beforehand, so that a batch makes none. Empty for what is fixed. */
  private static Dims64[][] dims(DeviceLayout layout, List<TensorSpec> declared) {
    Dims64[][] dims = new Dims64[layout.inputs().size()][];
    for (int i = 0; i < dims.length; i++) {
      String input = layout.inputs().get(i).name();
      Shape shape =
          declared.stream()
              .filter(spec -> spec.name().equals(input))
              .findFirst()
              .orElseThrow(() -> new IllegalStateException("no input '" + input + "'"))
              .shape();
      dims[i] = new Dims64[shape.isStatic() ? 0 : layout.maxItems() + 1];
      for (int size = 1; size < dims[i].length; size++) {
        dims[i][size] = TensorRt.dims(BatchProfile.shape(input, shape, size));
      }
    }
    return dims;
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long on) {
    try {
      contexts.of(items, batch).enqueue(items, batch, on);
    } catch (ModelLoadException e) {
      // Another context cannot be had, whatever the inputs are.
      throw new ExecutionException(
          ExecutionException.Kind.OUT_OF_MEMORY, String.valueOf(e.getMessage()));
    }
  }

  @Override
  public boolean isCapturable() {
    return graphs;
  }

  private void require(boolean accepted) {
    if (!accepted) {
      throw new IllegalStateException(name + ": TensorRT: " + TensorRt.lastError());
    }
  }

  @Override
  public void close() {
    if (profiler != null) {
      times.slowestFirst().stream()
          .limit(LAYERS_TOLD)
          .forEach(l -> log.info("{}: {} ms {} ({} runs)", name, l.meanMs(), l.name(), l.runs()));
    }
    contexts.close();
    if (scratch != 0) {
      site.pool().free(scratch, site.stream());
      site.cuda().awaitStream(site.stream());
    }
  }

  /** One at a time computes, so that they need no more scratch memory than one. */
  private final class Context {

    private final IExecutionContext context = maker.get();
    private int shapedFor;

    Context() {
      context.setDeviceMemoryV2(address.at(scratch), scratchBytes);
      if (profiler != null) {
        context.setProfiler(profiler.handle());
      }
    }

    void enqueue(int items, DeviceBatch batch, long on) {
      if (items != shapedFor) {
        shape(items);
      }
      for (int i = 0; i < inputNames.size(); i++) {
        require(context.setTensorAddress(inputNames.get(i), address.at(batch.input(i))));
      }
      for (int o = 0; o < outputNames.size(); o++) {
        require(context.setTensorAddress(outputNames.get(o), address.at(batch.output(o))));
      }
      require(context.enqueueV3(stream.at(on)));
    }

    private void shape(int items) {
      shapedFor = 0;
      for (int i = 0; i < inputDims.length; i++) {
        if (inputDims[i].length > 0) {
          require(context.setInputShape(inputNames.get(i), inputDims[i][items]));
        }
      }
      shapedFor = items;
    }

    void close() {
      CppObject.delete(context.address());
    }
  }

  private static final class Stream extends CUstream_st {
    Stream() {
      super((Pointer) null);
    }

    Stream at(long where) {
      address = where;
      return this;
    }
  }
}

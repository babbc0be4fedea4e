package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.Contexts;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceOutputs;
import dev.conveyor.models.device.EngineSite;
import dev.conveyor.models.device.PoolOutputs;
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
  private final EngineProfiles profiles;

  /** By batch size; empty where other dimensions vary. */
  private final List<List<Shape>> shapes = new ArrayList<>();

  /** By batch size: the first profile that takes it. */
  private final int[] profileOf;

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
   * @param profiles of the engine, and which of them it uses
   */
  TensorRtEngine(
      String name,
      Supplier<IExecutionContext> contexts,
      EngineSite site,
      List<TensorSpec> declared,
      EngineProfiles profiles,
      long scratchBytes,
      EngineOptions options) {
    this.name = name;
    this.graphs = options.graphs();
    this.maker = contexts;
    this.profiles = profiles;
    this.site = site;
    this.scratchBytes = scratchBytes;
    DeviceLayout layout = site.layout();
    this.contexts =
        new Contexts<>(graphs && layout.isFixed(), profile -> new Context(profile), Context::close);
    layout.inputs().forEach(input -> inputNames.add(new BytePointer(input.name())));
    layout.outputs().forEach(output -> outputNames.add(new BytePointer(output.name())));
    this.profileOf = profilesBySize(declared);
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
    Context first = contexts.prepare(profiles.first());
    if (!site.layout().isFixed()) {
      first.requireKnownOutputs();
    }
  }

  /** For every batch size beforehand, so that a batch has nothing to find out. */
  private int[] profilesBySize(List<TensorSpec> declared) {
    DeviceLayout layout = site.layout();
    int[] found = new int[layout.isFixed() ? layout.maxItems() + 1 : 0];
    for (int size = 0; size < found.length; size++) {
      List<Shape> batch = new ArrayList<>();
      for (TensorSpec input : layout.inputs()) {
        batch.add(BatchProfile.shape(input.name(), declared(declared, input.name()), size));
      }
      shapes.add(batch);
      found[size] = profiles.firstFor(layout.inputs(), batch);
    }
    return found;
  }

  private static Shape declared(List<TensorSpec> specs, String input) {
    return specs.stream()
        .filter(spec -> spec.name().equals(input))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no input '" + input + "'"))
        .shape();
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long on) {
    Context context = context(profileOf[items], items, shapes.get(items), batch);
    context.shape(shapes.get(items));
    for (int o = 0; o < outputNames.size(); o++) {
      require(context.context.setTensorAddress(outputNames.get(o), address.at(batch.output(o))));
    }
    context.enqueue(batch, on);
  }

  @Override
  public DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long on) {
    int profile = profiles.firstFor(site.layout().inputs(), inputs);
    Context context = context(profile, 0, inputs, batch);
    context.shape(inputs);
    PoolOutputs outputs =
        new PoolOutputs(site.pool(), site.layout().outputs(), context.outputShapes(), on);
    try {
      for (int o = 0; o < outputNames.size(); o++) {
        require(
            context.context.setTensorAddress(outputNames.get(o), address.at(outputs.address(o))));
      }
      context.enqueue(batch, on);
    } catch (RuntimeException e) {
      outputs.close(); // When what was enqueued of it is past that.
      throw e;
    }
    return outputs;
  }

  private Context context(int profile, int items, List<Shape> inputs, DeviceBatch batch) {
    if (profile < 0) {
      throw new ExecutionException(
          ExecutionException.Kind.RUN,
          "%s: no profile of the engine that instances use takes %s".formatted(name, inputs));
    }
    try {
      return contexts.of(profile, items, batch);
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
    private List<Shape> shapedFor = List.of();

    /** On one of several profiles it waits for the site's stream, which nothing computes on. */
    Context(int profile) {
      context.setDeviceMemoryV2(address.at(scratch), scratchBytes);
      if (profiler != null) {
        context.setProfiler(profiler.handle());
      }
      if (profiles.areSeveral()) {
        require(context.setOptimizationProfileAsync(profile, stream.at(site.stream())));
        site.cuda().awaitStream(site.stream());
      }
    }

    void enqueue(DeviceBatch batch, long on) {
      for (int i = 0; i < inputNames.size(); i++) {
        require(context.setTensorAddress(inputNames.get(i), address.at(batch.input(i))));
      }
      require(context.enqueueV3(stream.at(on)));
    }

    void shape(List<Shape> inputs) {
      if (inputs.equals(shapedFor)) {
        return;
      }
      shapedFor = List.of();
      for (int i = 0; i < inputNames.size(); i++) {
        try (Dims64 dims = TensorRt.dims(inputs.get(i))) {
          require(context.setInputShape(inputNames.get(i), dims));
        }
      }
      shapedFor = inputs;
    }

    /** Returns the shapes that follow from the inputs'; -1 where only running tells. */
    List<Shape> outputShapes() {
      return outputNames.stream()
          .map(output -> TensorRt.shape(context.getTensorShape(output)))
          .toList();
    }

    /** Looked at with the largest inputs of the first profile. */
    void requireKnownOutputs() {
      List<Shape> largest = new ArrayList<>();
      for (TensorSpec input : site.layout().inputs()) {
        ShapeProfile.@Nullable Range range = profiles.firstRange(input.name());
        largest.add(range == null ? input.shape() : range.most());
      }
      shape(largest);
      List<Shape> outputs = outputShapes();
      if (!outputs.stream().allMatch(Shape::isStatic)) {
        throw new ModelLoadException(
            "%s: TensorRT tells the shapes of the outputs only as it computes them: %s"
                .formatted(name, outputs));
      }
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

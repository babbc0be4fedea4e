package dev.conveyor.models.tensorrt;

import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.tensorrt.global.nvinfer.ExecutionContextAllocationStrategy;
import org.bytedeco.tensorrt.global.nvinfer.OptProfileSelector;
import org.bytedeco.tensorrt.global.nvinfer.TensorIOMode;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.ICudaEngine;
import org.bytedeco.tensorrt.nvinfer.IExecutionContext;

/**
 * An engine on a device: the weights, which all instances share. Each instance has an execution
 * context of its own, whose scratch memory is from the instance's pool. Thread-safe.
 */
final class TensorRtModel implements DeviceModel {

  private final String name;
  private final ICudaEngine engine;
  private final Reservation reservation;
  private final EngineOptions options;
  private final List<TensorSpec> inputs = new ArrayList<>();
  private final List<TensorSpec> outputs = new ArrayList<>();
  private final EngineProfiles profiles;

  /**
   * Puts an engine on the device of the calling thread.
   *
   * @param name of the model, for the log
   * @param file that it is from, for messages
   * @param plan engine as TensorRT serialised it, for this device, version and driver
   * @param reservation of its bytes; owned by this from now on
   * @param options what of them matters to what runs
   * @param profileNumbers which of its profiles to use; empty for all
   * @throws ModelLoadException if TensorRT refuses it
   * @throws dev.conveyor.models.config.ConfigException if there are no such profiles
   */
  TensorRtModel(
      String name,
      Path file,
      byte[] plan,
      Reservation reservation,
      EngineOptions options,
      List<Integer> profileNumbers) {
    this.name = name;
    this.reservation = reservation;
    this.options = options;
    try (BytePointer bytes = new BytePointer(plan)) {
      ICudaEngine made = TensorRt.runtime().deserializeCudaEngine(bytes, plan.length);
      if (made == null || made.isNull()) {
        throw new ModelLoadException(
            file + ": TensorRT refuses the engine: " + TensorRt.lastError());
      }
      this.engine = made;
    }
    try {
      readTensors(file);
      List<ShapeProfile> all = new ArrayList<>();
      for (int p = 0; p < engine.getNbOptimizationProfiles(); p++) {
        all.add(profile(p));
      }
      profiles = EngineProfiles.of(all, profileNumbers);
    } catch (RuntimeException e) {
      CppObject.delete(engine.address());
      throw e;
    }
  }

  private void readTensors(Path file) {
    for (int i = 0; i < engine.getNbIOTensors(); i++) {
      String tensor = engine.getIOTensorName(i);
      DataType type =
          TensorRt.type(engine.getTensorDataType(tensor))
              .orElseThrow(
                  () ->
                      new ModelLoadException(
                          "%s: '%s' is of a type that the protocol does not have"
                              .formatted(file, tensor)));
      TensorSpec spec = new TensorSpec(tensor, type, TensorRt.shape(engine.getTensorShape(tensor)));
      boolean input = engine.getTensorIOMode(tensor).intern() == TensorIOMode.kINPUT;
      (input ? inputs : outputs).add(spec);
    }
  }

  private ShapeProfile profile(int index) {
    SortedMap<String, ShapeProfile.Range> ranges = new TreeMap<>();
    for (TensorSpec input : inputs) {
      Dims64 most = engine.getProfileShape(input.name(), index, OptProfileSelector.kMAX);
      if (most.nbDims() >= 0) {
        Shape largest = TensorRt.shape(most);
        Shape least =
            TensorRt.shape(engine.getProfileShape(input.name(), index, OptProfileSelector.kMIN));
        ranges.put(input.name(), new ShapeProfile.Range(least, largest, largest));
      }
    }
    return new ShapeProfile(ranges);
  }

  @Override
  public boolean takesVaryingShapes() {
    return true;
  }

  @Override
  public List<TensorSpec> inputs() {
    return List.copyOf(inputs);
  }

  @Override
  public List<TensorSpec> outputs() {
    return List.copyOf(outputs);
  }

  @Override
  public long reservedBytes() {
    return reservation.bytes();
  }

  @Override
  public long scratchBytes(DeviceLayout layout) {
    return engine.getDeviceMemorySizeV2();
  }

  @Override
  public DeviceEngine newEngine(EngineSite site) {
    TensorRtEngine made =
        new TensorRtEngine(
            name,
            this::newContext,
            site,
            inputs,
            profiles,
            engine.getDeviceMemorySizeV2(),
            options);
    try {
      made.prepare();
      return made;
    } catch (RuntimeException e) {
      made.close();
      throw e;
    }
  }

  private IExecutionContext newContext() {
    IExecutionContext context =
        engine.createExecutionContext(ExecutionContextAllocationStrategy.kUSER_MANAGED);
    if (context == null || context.isNull()) {
      throw new ModelLoadException(
          name + ": TensorRT makes no execution context: " + TensorRt.lastError());
    }
    return context;
  }

  @Override
  public void close() {
    try {
      CppObject.delete(engine.address());
    } finally {
      reservation.close();
    }
  }
}

package dev.conveyor.models.steps;

import java.util.List;
import java.util.function.Function;

/** The steps that are always there. Immutable. */
record BuiltIn(String name, Function<StepSettings, Step> maker) implements StepFactory {

  static final List<StepFactory> ALL =
      List.of(
          new BuiltIn("softmax", settings -> ClassSteps.softmax()),
          new BuiltIn("argmax", settings -> ClassSteps.topK("value", "index", 1)),
          new BuiltIn(
              "top_k",
              settings ->
                  ClassSteps.topK("values", "indices", settings.integer("k", 1, 10_000, 5))),
          new BuiltIn(
              "threshold",
              settings -> ClassSteps.threshold((float) settings.number("at", -1e30, 1e30, 0.5))),
          new BuiltIn("nms", NmsStep::of),
          new BuiltIn("image_size", settings -> ImageSteps.imageSize()),
          new BuiltIn("to_source", ImageSteps::toSource),
          new BuiltIn("resize", settings -> PixelSteps.resample(settings, false)),
          new BuiltIn("crop", settings -> PixelSteps.resample(settings, true)),
          new BuiltIn("mask_statistics", settings -> PixelSteps.maskStatistics()),
          new BuiltIn("mask_regions", RegionStep::of),
          new BuiltIn("decode", DecodeStep::of),
          new BuiltIn("fit", FitSteps::fit),
          new BuiltIn("letterbox", FitSteps::letterbox),
          new BuiltIn("unfit", settings -> FitSteps.unfit()),
          new BuiltIn("unfit_image", UnfitImageStep::of),
          new BuiltIn("normalize", NormalizeStep::of),
          new BuiltIn("convert", ConvertSteps::convert),
          new BuiltIn("tile", TileSteps::tile),
          new BuiltIn("stitch", settings -> TileSteps.stitch()),
          new BuiltIn("stitch_boxes", settings -> TileSteps.stitchBoxes()),
          new BuiltIn("take", settings -> LengthSteps.take()),
          new BuiltIn("pad", LengthSteps::pad),
          new BuiltIn("unpad", settings -> LengthSteps.unpad()));

  @Override
  public Step create(StepSettings settings) {
    return new CheckedStep(maker.apply(settings));
  }
}

package dev.conveyor.models.steps;

import dev.conveyor.models.LateBytes;
import dev.conveyor.models.image.DeviceJpeg;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A device that does the work of some steps, between models there. Thread-safe. */
public interface StepDevice {

  /** Returns its name, as that of the ledger. */
  String name();

  /** Returns whether models here read what lies on another device from there, not on the host. */
  boolean readsFrom(String device);

  /** Returns whether {@link LateBytes#tryWork} may be done here. */
  boolean worksOnPixels();

  /** Returns whether {@link #tryDecode} may be done here; the first image may find out more. */
  boolean decodesImages();

  /**
   * Decodes images, one after the other, into memory that stays here. Returns when that is
   * enqueued; the images may be changed then. May take milliseconds, and the first time seconds.
   *
   * @param images all of one size and type
   * @return what they become, for another owner; null if the host is to decode them
   * @throws dev.conveyor.models.InferenceException if the device is lost
   */
  @Nullable LateBytes tryDecode(List<DeviceJpeg> images);
}

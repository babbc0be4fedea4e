package dev.conveyor.verticles.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DecodeBacklogTest {

  private final AtomicInteger workers = new AtomicInteger(1);
  private final DecodeBacklog backlog = new DecodeBacklog(workers::get);
  private final DecodeBacklog.OfModel photos = backlog.new OfModel();
  private final DecodeBacklog.OfModel icons = backlog.new OfModel();

  @Test
  void shouldPredictNothingWhileNoneWaits() {
    photos.took(4_000);
    assertThat(photos.aheadNs()).isZero();
    long expected = photos.enter();
    assertThat(photos.workNs()).as("it is the only one").isZero();
    photos.leave(expected);
    assertThat(photos.aheadNs()).isZero();
  }

  @Test
  void shouldAddUpWhatAllModelsWaitFor() {
    photos.took(4_000);
    icons.took(1_000);
    long photo = photos.enter();
    long icon = icons.enter();

    assertThat(photos.aheadNs()).isEqualTo(4_000 + 1_000 + 4_000);
    assertThat(icons.aheadNs()).isEqualTo(4_000 + 1_000 + 1_000);
    assertThat(icons.workNs()).isEqualTo(1_000);
    workers.set(2);
    assertThat(icons.aheadNs()).isEqualTo(2_500 + 1_000);

    photos.took(12_000);
    photos.leave(photo);
    icons.leave(icon);
    assertThat(icons.aheadNs()).as("leaves what it entered with").isZero();
  }

  @Test
  void shouldFollowWhatImagesTakeLately() {
    photos.took(8_000);
    photos.took(16_000);
    long expected = photos.enter();
    assertThat(expected).isEqualTo(9_000);
  }
}

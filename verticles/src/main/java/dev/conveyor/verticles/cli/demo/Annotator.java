package dev.conveyor.verticles.cli.demo;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Locale;
import javax.imageio.ImageIO;

/** Draws a verdict on its picture. Stateless; a call takes milliseconds, so not for event loops. */
final class Annotator {

  private static final int WIDTH = 640;
  private static final int BAR = 40;
  private static final Color PASS = new Color(0x15803d);
  private static final Color REJECT = new Color(0xb91c1c);

  private Annotator() {}

  /** Says a verdict in a line of text. */
  static String caption(DemoImage image, LineVerdict verdict) {
    return String.format(
        Locale.ROOT,
        "%s: %s %.3f, %s; %d %s, %.2f %% of the surface",
        image.file(),
        verdict.label(),
        verdict.confidence(),
        verdict.passes() ? "pass" : "reject",
        verdict.regions().size(),
        verdict.regions().size() == 1 ? "region" : "regions",
        100 * verdict.area());
  }

  /** Returns the picture, enlarged, with its defects framed and the verdict below, as JPEG. */
  static byte[] draw(DemoImage image, LineVerdict verdict) throws IOException {
    System.setProperty("java.awt.headless", "true");
    BufferedImage source = ImageIO.read(new ByteArrayInputStream(image.jpeg().getBytes()));
    if (source == null) {
      throw new IOException(image.file() + " cannot be decoded");
    }
    double scale = (double) WIDTH / source.getWidth();
    int height = (int) Math.round(source.getHeight() * scale);
    BufferedImage out = new BufferedImage(WIDTH, height + BAR, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = out.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BICUBIC);
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.drawImage(source, 0, 0, WIDTH, height, null);
    graphics.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 16));
    for (LineVerdict.Region region : verdict.regions()) {
      frame(graphics, region, scale);
    }
    graphics.setColor(verdict.passes() ? PASS : REJECT);
    graphics.fillRect(0, height, WIDTH, BAR);
    graphics.setColor(Color.WHITE);
    graphics.drawString(caption(image, verdict), 12, height + 26);
    graphics.dispose();
    ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
    ImageIO.write(out, "jpg", jpeg);
    return jpeg.toByteArray();
  }

  private static void frame(Graphics2D graphics, LineVerdict.Region region, double scale) {
    int x = (int) Math.round(region.x1() * scale);
    int y = (int) Math.round(region.y1() * scale);
    int width = (int) Math.round(region.x2() * scale) - x;
    int height = (int) Math.round(region.y2() * scale) - y;
    graphics.setColor(REJECT);
    graphics.setStroke(new BasicStroke(3));
    graphics.drawRect(x, y, Math.max(1, width - 1), Math.max(1, height - 1));
    String label = String.format(Locale.ROOT, "%s %.2f", region.label(), region.confidence());
    int textWidth = graphics.getFontMetrics().stringWidth(label) + 8;
    int top = Math.max(0, y - 22);
    graphics.fillRect(x, top, textWidth, 22);
    graphics.setColor(Color.WHITE);
    graphics.drawString(label, x + 4, top + 16);
  }
}

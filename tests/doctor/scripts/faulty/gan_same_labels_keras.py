# fault: swapped_labels
import tensorflow as tf

bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)


def discriminator_loss(real_output, fake_output):
    real_loss = bce(tf.ones_like(real_output), real_output)
    fake_loss = bce(tf.ones_like(fake_output), fake_output)
    return real_loss + fake_loss


def generator_loss(fake_output):
    return bce(tf.ones_like(fake_output), fake_output)


@tf.function
def train_step(images, generator, discriminator, g_opt, d_opt):
    noise = tf.random.normal([256, 100])
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        made = generator(noise, training=True)
        real_output = discriminator(images, training=True)
        fake_output = discriminator(made, training=True)
        g_loss = generator_loss(fake_output)
        d_loss = discriminator_loss(real_output, fake_output)
    g_opt.apply_gradients(zip(g_tape.gradient(g_loss, generator.trainable_variables), generator.trainable_variables))
    d_opt.apply_gradients(zip(d_tape.gradient(d_loss, discriminator.trainable_variables), discriminator.trainable_variables))

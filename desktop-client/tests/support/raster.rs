//! A software rasteriser for egui's tessellated output: the pictures are equal on every machine,
//! and the tests need no graphics driver.
//!
//! It follows egui's OpenGL painter: colours and textures are multiplied and blended in gamma space
//! with premultiplied alpha, a pixel belongs to a triangle if its centre does, and a centre on an
//! edge belongs to one triangle only.

use std::collections::HashMap;

use egui::{
    Color32, ImageData, Mesh, Pos2, Rect, TextureId, TexturesDelta, Vec2, epaint::ImageDelta,
    epaint::Primitive, epaint::Vertex,
};
use egui_kittest::TestRenderer;
use image::{Rgba, RgbaImage};

/// The renderer for a test harness.
#[derive(Default)]
pub struct Rasteriser {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    size: [usize; 2],
    pixels: Vec<Color32>,
}

/// A colour with its four channels from 0 to 255, alpha premultiplied.
type Color = [f32; 4];

impl TestRenderer for Rasteriser {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, images) in delta.set.drain() {
            for image in images {
                self.update(id, &image);
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(
        &mut self,
        context: &egui::Context,
        output: &egui::FullOutput,
    ) -> Result<RgbaImage, String> {
        let scale = context.pixels_per_point();
        let size = context.content_rect().size() * scale;
        let mut canvas = RgbaImage::from_pixel(
            size.x.round() as u32,
            size.y.round() as u32,
            Rgba([0, 0, 0, 255]),
        );
        for clipped in context.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = &clipped.primitive else {
                return Err("a paint callback cannot be drawn here".to_owned());
            };
            let texture = self
                .textures
                .get(&mesh.texture_id)
                .ok_or_else(|| format!("there is no texture {:?}", mesh.texture_id))?;
            draw_mesh(&mut canvas, mesh, texture, clipped.clip_rect, scale);
        }
        Ok(canvas)
    }
}

impl Rasteriser {
    fn update(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let Some([left, top]) = delta.pos else {
            let texture = Texture { size: image.size, pixels: image.pixels.clone() };
            self.textures.insert(id, texture);
            return;
        };
        let texture = self.textures.get_mut(&id).expect("only a known texture is patched");
        for (row, pixels) in image.pixels.chunks_exact(image.size[0]).enumerate() {
            let start = (top + row) * texture.size[0] + left;
            texture.pixels[start..start + pixels.len()].copy_from_slice(pixels);
        }
    }
}

impl Texture {
    /// The colour at `at` (0 to 1 in each direction), interpolated between the four nearest texels.
    fn sample(&self, at: Vec2) -> Color {
        let place = |share: f32, size: usize| {
            let at = share * size as f32 - 0.5;
            let low = at.floor();
            let clamp = |index: f32| (index.max(0.0) as usize).min(size - 1);
            (clamp(low), clamp(low + 1.0), at - low)
        };
        let (left, right, across) = place(at.x, self.size[0]);
        let (top, bottom, down) = place(at.y, self.size[1]);
        let texel =
            |x: usize, y: usize| self.pixels[y * self.size[0] + x].to_array().map(f32::from);
        let row = |y| mix(texel(left, y), texel(right, y), across);
        mix(row(top), row(bottom), down)
    }
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

fn draw_mesh(canvas: &mut RgbaImage, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
    // The scissor is rounded to whole pixels, as the painter rounds it.
    let edge = |value: f32, limit: u32| (value * scale).round().clamp(0.0, limit as f32);
    let clip = Rect::from_min_max(
        Pos2::new(edge(clip.min.x, canvas.width()), edge(clip.min.y, canvas.height())),
        Pos2::new(edge(clip.max.x, canvas.width()), edge(clip.max.y, canvas.height())),
    );
    for corners in mesh.indices.chunks_exact(3) {
        let corners = [corners[0], corners[1], corners[2]].map(|index| {
            let vertex = mesh.vertices[index as usize];
            Vertex { pos: (vertex.pos.to_vec2() * scale).to_pos2(), ..vertex }
        });
        draw_triangle(canvas, corners, texture, clip);
    }
}

/// Twice the area of a triangle; positive if it turns clockwise on the screen.
fn area(a: Pos2, b: Pos2, c: Pos2) -> f64 {
    let (ab, ac) = ((b - a), (c - a));
    f64::from(ab.x) * f64::from(ac.y) - f64::from(ab.y) * f64::from(ac.x)
}

fn draw_triangle(canvas: &mut RgbaImage, corners: [Vertex; 3], texture: &Texture, clip: Rect) {
    let [a, mut b, mut c] = corners;
    let mut whole = area(a.pos, b.pos, c.pos);
    if whole < 0.0 {
        std::mem::swap(&mut b, &mut c);
        whole = -whole;
    }
    if whole == 0.0 {
        return;
    }
    let bounds = Rect::from_points(&[a.pos, b.pos, c.pos]).intersect(clip);
    if !bounds.is_positive() {
        return;
    }
    // The top-left rule: of two triangles that share an edge, the one with it at its top or left
    // owns it.
    let owns = |from: Pos2, to: Pos2| {
        let way = to - from;
        way.y < 0.0 || (way.y == 0.0 && way.x > 0.0)
    };
    let edges = [(b.pos, c.pos), (c.pos, a.pos), (a.pos, b.pos)];
    let owned = edges.map(|(from, to)| owns(from, to));

    for y in bounds.min.y.floor() as u32..(bounds.max.y.ceil() as u32).min(clip.max.y as u32) {
        for x in bounds.min.x.floor() as u32..(bounds.max.x.ceil() as u32).min(clip.max.x as u32) {
            let middle = Pos2::new(x as f32 + 0.5, y as f32 + 0.5);
            let shares = edges.map(|(from, to)| area(from, to, middle));
            let inside = shares
                .iter()
                .zip(owned)
                .all(|(share, owned)| *share > 0.0 || (*share == 0.0 && owned));
            if !inside || !clip.contains(middle) {
                continue;
            }
            let [wa, wb, wc] = shares.map(|share| (share / whole) as f32);
            let place = a.uv.to_vec2() * wa + b.uv.to_vec2() * wb + c.uv.to_vec2() * wc;
            let texel = texture.sample(place);
            let [ca, cb, cc] = [a, b, c].map(|corner| corner.color.to_array().map(f32::from));
            let source: Color = std::array::from_fn(|channel| {
                (ca[channel] * wa + cb[channel] * wb + cc[channel] * wc) * texel[channel] / 255.0
            });
            blend(canvas.get_pixel_mut(x, y), source);
        }
    }
}

fn blend(pixel: &mut Rgba<u8>, source: Color) {
    let through = 1.0 - source[3] / 255.0;
    for (old, new) in pixel.0.iter_mut().zip(source).take(3) {
        *old = (new + f32::from(*old) * through).round().clamp(0.0, 255.0) as u8;
    }
}

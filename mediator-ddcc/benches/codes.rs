//! What each form of code costs, beside a bare P-256 signature: `cargo bench --bench codes`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

mod example;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::codes::qr_code::QrCode;
use mediator_ddcc::codes::{CodeForm, IssuedCode, prepare};

use example::ExampleSigner;

fn codes(criterion: &mut Criterion) {
    let signer = ExampleSigner::new();
    signer.measure_bare_signature(criterion);
    let (issuer, set) = (example::issuer(), example::core_data_set());
    let context = example::context(&issuer, &signer, &set);

    let signature = [7; 64];
    for form in CodeForm::ALL {
        let mut group = criterion.benchmark_group(form.as_str());
        group.bench_function("text", |bencher| {
            bencher.iter(|| {
                let prepared = prepare(form, black_box(&context)).unwrap();
                prepared.finish(&signature).unwrap()
            });
        });
        let text = prepare(form, &context).unwrap().finish(&signature).unwrap();
        group.bench_function("QR code", |bencher| {
            bencher.iter(|| QrCode::encode(form, black_box(&text)).unwrap());
        });
        let code = IssuedCode::new(form, text).unwrap();
        group.bench_function("PNG", |bencher| bencher.iter(|| code.qr_code.png()));
        group.bench_function("SVG", |bencher| bencher.iter(|| code.qr_code.svg()));
        group.finish();
    }
}

criterion_group!(benches, codes);
criterion_main!(benches);

//! What a card costs, beside a bare P-256 signature: `cargo bench --bench card`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

mod example;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::card::{Card, CardRenderer, CardSize};
use mediator_ddcc::codes::{CodeForm, IssuedCode};

use example::ExampleSigner;

/// A name and a centre in each script.
const TEXTS: [[&str; 3]; 3] = [
    ["Latin", "Thérèse Lefèbvre-Œuvrard", "Site de vaccination"],
    ["Arabic", "أولوس أجيريوس", "موقع التطعيم"],
    ["Chinese", "奥卢斯·阿杰里乌斯", "接种地点"],
];

fn cards(criterion: &mut Criterion) {
    let signer = ExampleSigner::new();
    signer.measure_bare_signature(criterion);
    let issuer = example::issuer();
    criterion.bench_function("renderer", |bencher| bencher.iter(CardRenderer::builtin));

    let renderer = CardRenderer::builtin().unwrap();
    for [script, name, centre] in TEXTS {
        let set = example::core_data_set_of(name, centre);
        let context = example::context(&issuer, &signer, &set);
        let codes: Vec<IssuedCode> = CodeForm::ALL
            .into_iter()
            .map(|form| signer.code(form, &context))
            .collect();
        let mut group = criterion.benchmark_group(script);
        for size in CardSize::ALL {
            for codes in [&codes[..0], &codes[..2], &codes] {
                let card = Card {
                    core_data_set: &set,
                    issuer: &issuer,
                    issued_at: context.issued_at,
                    valid_from: Some(context.issued_at),
                    valid_until: None,
                    codes,
                };
                group.bench_function(
                    format!("{}, {} codes", size.as_str(), codes.len()),
                    |bencher| {
                        bencher.iter(|| renderer.render(size, black_box(&card)).unwrap());
                    },
                );
            }
        }
        group.finish();
    }
}

criterion_group!(benches, cards);
criterion_main!(benches);

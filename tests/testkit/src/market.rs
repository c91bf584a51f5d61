//! A generated market: sellers with products in Korean and English, the same for the same seed.
//!
//! For the demo, benches and simulator; prices, brands and towns are invented.

use souk_domain::catalogue::put_product::ProductFacts;
use souk_domain::catalogue::{QuantityRule, TaxRule};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;

/// A seeded generator: SplitMix64, good enough to spread names and prices.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Seeded {
        Seeded(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        souk_crypto::rowsum::mix64(self.0)
    }

    /// A number below `end`; 0 for an empty range.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// True with a chance in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// A seller of the generated market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SellerPlan {
    /// Name of the shop.
    pub name: String,
    /// Its town.
    pub city: String,
    /// Flat shipping rate.
    pub shipping: Money,
    /// Free from this sum of goods on.
    pub free_from: Money,
    /// What it sells.
    pub products: Vec<ProductPlan>,
}

/// A product of the generated market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProductPlan {
    /// The seller's name of it.
    pub sku: String,
    /// The facts.
    pub facts: ProductFacts,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: TaxRule,
    /// Quantity rule.
    pub quantity: QuantityRule,
    /// Units at the start.
    pub stock: u32,
}

/// Category, things in Korean and English, brands, lowest price in won, tax exempt.
struct Shelf {
    category: &'static str,
    brands: &'static [(&'static str, &'static str)],
    things: &'static [(&'static str, &'static str, i64)],
    sizes: &'static [(&'static str, &'static str, i64)],
    is_exempt: bool,
}

const SHELVES: &[Shelf] = &[
    Shelf {
        category: "food.fresh",
        brands: &[
            ("새벽들", "Saebyeok Farm"),
            ("한라농장", "Halla Farm"),
            ("소백산", "Sobaeksan"),
            ("바다안", "Bada-an"),
        ],
        things: &[
            ("부사 사과", "Fuji apples", 3900),
            ("햅쌀", "New-crop rice", 9800),
            ("찹쌀", "Glutinous rice", 8900),
            ("제주 감귤", "Jeju tangerines", 5900),
            ("고구마", "Sweet potatoes", 4500),
            ("국산 콩나물", "Bean sprouts", 1500),
            ("표고버섯", "Shiitake mushrooms", 4200),
            ("구운 김", "Roasted seaweed", 3300),
        ],
        sizes: &[("500g", "500 g", 10), ("1kg", "1 kg", 18), ("3kg", "3 kg", 48), ("5kg", "5 kg", 75)],
        is_exempt: true,
    },
    Shelf {
        category: "food.pantry",
        brands: &[("장독대", "Jangdokdae"), ("맑은샘", "Malgeun Spring"), ("다정", "Dajeong")],
        things: &[
            ("된장", "Soybean paste", 5200),
            ("고추장", "Chilli paste", 5900),
            ("참기름", "Sesame oil", 7800),
            ("녹차 티백", "Green tea bags", 4600),
            ("원두 커피", "Coffee beans", 8900),
            ("생수", "Spring water", 900),
            ("벌꿀", "Honey", 12900),
        ],
        sizes: &[
            ("소", "small", 10),
            ("중", "medium", 16),
            ("대", "large", 26),
            ("선물세트", "gift box", 40),
        ],
        is_exempt: false,
    },
    Shelf {
        category: "electronics.audio",
        brands: &[
            ("소리샘", "Sorisaem"),
            ("노바", "Nova"),
            ("에코톤", "Ecotone"),
            ("Halla Audio", "Halla Audio"),
        ],
        things: &[
            ("무선 이어폰", "Wireless earphones", 29000),
            ("노이즈캔슬링 헤드폰", "Noise-cancelling headphones", 89000),
            ("블루투스 스피커", "Bluetooth speaker", 39000),
            ("유선 이어폰", "Wired earphones", 9900),
            ("마이크", "Microphone", 34000),
        ],
        sizes: &[("블랙", "black", 10), ("화이트", "white", 10), ("블루", "blue", 10), ("프로", "Pro", 17)],
        is_exempt: false,
    },
    Shelf {
        category: "electronics.mobile",
        brands: &[("노바", "Nova"), ("빠름", "Ppareum"), ("스냅", "Snap")],
        things: &[
            ("USB-C 충전기 65W", "USB-C charger 65W", 19900),
            ("휴대폰 케이스", "Phone case", 8900),
            ("보조 배터리 10000mAh", "Power bank 10000mAh", 24900),
            ("충전 케이블 2m", "Charging cable 2m", 5900),
            ("차량용 거치대", "Car mount", 12900),
            ("강화유리 보호필름", "Screen protector", 6900),
        ],
        sizes: &[
            ("블랙", "black", 10),
            ("투명", "clear", 10),
            ("2개입", "pack of 2", 18),
            ("3개입", "pack of 3", 25),
        ],
        is_exempt: false,
    },
    Shelf {
        category: "home.kitchen",
        brands: &[("나무결", "Namugyeol"), ("온기", "Ongi"), ("담다", "Damda"), ("하루주방", "Haru Kitchen")],
        things: &[
            ("전기 주전자 1.7L", "Electric kettle 1.7L", 32000),
            ("프라이팬", "Frying pan", 21000),
            ("도마", "Cutting board", 14000),
            ("밀폐용기", "Storage container", 7900),
            ("머그컵", "Mug", 6900),
            ("수저 세트", "Spoon and chopsticks set", 9900),
        ],
        sizes: &[("소형", "small", 10), ("중형", "medium", 14), ("대형", "large", 19), ("세트", "set", 30)],
        is_exempt: false,
    },
    Shelf {
        category: "home.living",
        brands: &[("포근", "Pogeun"), ("숲속집", "Forest House"), ("담백", "Dambaek")],
        things: &[
            ("수건", "Towel", 5900),
            ("책상", "Desk", 79000),
            ("스탠드 조명", "Desk lamp", 27000),
            ("베개", "Pillow", 19000),
            ("이불", "Duvet", 59000),
            ("세탁 세제", "Laundry detergent", 11900),
        ],
        sizes: &[("화이트", "white", 10), ("그레이", "grey", 10), ("2개", "pair", 18), ("대형", "large", 15)],
        is_exempt: false,
    },
    Shelf {
        category: "clothing",
        brands: &[("걷기", "Geotgi"), ("한올", "Hanol"), ("Mornin", "Mornin")],
        things: &[
            ("런닝화", "Running shoes", 59000),
            ("면 티셔츠", "Cotton T-shirt", 12900),
            ("후드 집업", "Zip hoodie", 34900),
            ("양말", "Socks", 3900),
            ("장갑", "Gloves", 9900),
            ("우산", "Umbrella", 14900),
        ],
        sizes: &[("S", "S", 10), ("M", "M", 10), ("L", "L", 10), ("XL", "XL", 11)],
        is_exempt: false,
    },
    Shelf {
        category: "stationery",
        brands: &[("글빛", "Geulbit"), ("종이배", "Paper Boat")],
        things: &[
            ("공책", "Notebook", 2500),
            ("만년필", "Fountain pen", 24000),
            ("색연필", "Colour pencils", 8900),
            ("달력", "Calendar", 6900),
            ("포장 테이프", "Packing tape", 3200),
        ],
        sizes: &[("A5", "A5", 10), ("A4", "A4", 14), ("5개입", "pack of 5", 42), ("선물용", "gift", 20)],
        is_exempt: false,
    },
];

const SHOPS: &[(&str, &str)] = &[
    ("아침시장", "Seoul"),
    ("Harbour Goods", "Busan"),
    ("한라상회", "Jeju"),
    ("Old Town Supply", "Jeonju"),
    ("소리와 빛", "Daegu"),
    ("포근한 집", "Gwangju"),
    ("Riverside Market", "Daejeon"),
    ("별빛 문구", "Gangneung"),
];

/// A market of `sellers` shops with `products` products together, from a seed.
pub fn market(seed: u64, sellers: usize, products: usize) -> Vec<SellerPlan> {
    let mut random = Seeded::new(seed);
    let won = |minor: i64| Money::new(minor, Currency::KRW);
    let mut plans: Vec<SellerPlan> = (0..sellers.max(1))
        .map(|number| {
            let (name, city) = SHOPS[number % SHOPS.len()];
            let suffix =
                if number < SHOPS.len() { String::new() } else { format!(" {}", number / SHOPS.len() + 1) };
            SellerPlan {
                name: format!("{name}{suffix}"),
                city: city.to_owned(),
                shipping: won(2500 + 500 * random.below(3) as i64),
                free_from: won(50_000),
                products: Vec::new(),
            }
        })
        .collect();
    for number in 0..products {
        let seller = number % plans.len();
        let plan = product(number, &mut random);
        plans[seller].products.push(plan);
    }
    plans
}

fn product(number: usize, random: &mut Seeded) -> ProductPlan {
    let shelf = &SHELVES[number % SHELVES.len()];
    let brand = random.pick(shelf.brands);
    let thing = random.pick(shelf.things);
    let size = random.pick(shelf.sizes);
    let price = thing.2 * size.2 / 10 * (90 + random.below(31) as i64) / 100 / 100 * 100;
    ProductPlan {
        sku: format!("{}-{number:05}", shelf.category.split('.').next_back().unwrap_or("x").to_uppercase()),
        facts: ProductFacts {
            title: format!("{} {} {}", brand.0, thing.0, size.0),
            titles: vec![("en".to_owned(), format!("{} {} {}", brand.1, thing.1, size.1))],
            category: shelf.category.to_owned(),
            brand: brand.1.to_owned(),
            mpn: format!("M{number:06}"),
            description: format!("{} · {}. {} · {}.", thing.0, size.0, thing.1, size.1),
            attributes: vec![("size".to_owned(), size.1.to_owned())],
            gtins: Vec::new(),
            weight_g: 200 + random.below(3000) as u32,
            image: None,
        },
        price: Money::new(price.max(500), Currency::KRW),
        tax: TaxRule {
            rate: Ppm(if shelf.is_exempt { 0 } else { 100_000 }),
            inclusive: true,
            rounding: Rounding::HalfUp,
        },
        quantity: QuantityRule::ANY,
        stock: 5 + random.below(60) as u32,
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::catalogue::CheckedProduct;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_market() {
        let plans = market(7, 5, 2_000);
        assert_eq!(plans, market(7, 5, 2_000));
        assert_ne!(plans, market(8, 5, 2_000));
        assert_eq!(plans.iter().map(|plan| plan.products.len()).sum::<usize>(), 2_000);
        for product in plans.iter().flat_map(|plan| &plan.products) {
            assert!(CheckedProduct::new(product.facts.clone()).is_ok(), "{product:?}");
            assert!(product.price.minor >= 500);
        }
    }

    #[test]
    fn skus_are_unique_in_a_shop() {
        for plan in market(1, 3, 500) {
            let mut skus: Vec<&str> = plan.products.iter().map(|product| product.sku.as_str()).collect();
            skus.sort_unstable();
            let count = skus.len();
            skus.dedup();
            assert_eq!(skus.len(), count);
        }
    }
}
